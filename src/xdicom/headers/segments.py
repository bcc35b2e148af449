"""SegmentSequence of a segmentation becomes one text that rows hold, and that text its segments."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Final

from pydicom.datadict import dictionary_VR, tag_for_keyword

from xdicom.headers.texts import Texts
from xdicom.headers.walk import UNDEFINED, Element

SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS: Final = frozenset((SEGMENTATION, LABEL_MAP))
"""SOP classes whose instances hold segments."""

SEGMENTS: Final = "xdicom_segments"
"""Column that holds the text of `text_of_segments`."""
SEGMENTED: Final = "xdicom_segmented_series"
"""Column that holds the UIDs of the series that an object says to refer to."""


@dataclass(frozen=True)
class Segment:
    """One item of SegmentSequence (PS3.3 C.8.20.2)."""

    number: int
    """SegmentNumber."""
    label: str = ""
    """SegmentLabel."""
    description: str = ""
    """SegmentDescription."""
    category: str = ""
    """Meaning of SegmentedPropertyCategoryCodeSequence: what kind of thing it is."""
    type: str = ""
    """Meaning of SegmentedPropertyTypeCodeSequence: the thing."""
    modifier: str = ""
    """Meaning of its modifier: left or right, say."""
    region: str = ""
    """Meaning of AnatomicRegionSequence."""
    algorithm: str = ""
    """SegmentAlgorithmType: ``AUTOMATIC``, ``SEMIAUTOMATIC`` or ``MANUAL``."""
    algorithm_name: str = ""
    """SegmentAlgorithmName."""
    tracking_id: str = ""
    """TrackingID: the same for one thing in several segmentations."""
    tracking_uid: str = ""
    """TrackingUID."""
    cielab: tuple[int, ...] = ()
    """RecommendedDisplayCIELabValue, three numbers of 16 bits; empty where there is none."""


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return int(tag)


_LEAVES: Final = {
    _tag(keyword): name
    for keyword, name in {
        "SegmentNumber": "number",
        "SegmentLabel": "label",
        "SegmentDescription": "description",
        "SegmentAlgorithmType": "algorithm",
        "SegmentAlgorithmName": "algorithm_name",
        "TrackingID": "tracking_id",
        "TrackingUID": "tracking_uid",
        "RecommendedDisplayCIELabValue": "cielab",
    }.items()
}
_MEANINGS: Final = {
    _tag(keyword): name
    for keyword, name in {
        "SegmentedPropertyCategoryCodeSequence": "category",
        "SegmentedPropertyTypeCodeSequence": "type",
        "SegmentedPropertyTypeModifierCodeSequence": "modifier",
        "AnatomicRegionSequence": "region",
    }.items()
}
"""Code sequences of which the meaning is kept."""
_TYPE: Final = _tag("SegmentedPropertyTypeCodeSequence")
_CODE_MEANING: Final = _tag("CodeMeaning")
_SERIES_UID: Final = _tag("SeriesInstanceUID")


def text_of_segments(sequence: Element, texts: Texts) -> str:
    """SegmentSequence as one text, for a row of the frame table.

    Parameters
    ----------
    sequence : Element
        The sequence.
    texts : Texts
        Reads values of the data set.

    Returns
    -------
    str
        For `segments_from`; ``""`` where no item has a number.
    """
    found = []
    for item in sequence.items():
        values: dict[str, Any] = {}
        for element in item:
            if element.tag in _LEAVES:
                values[_LEAVES[element.tag]] = _text(element, texts)
            elif element.tag in _MEANINGS:
                _read_code(element, texts, _MEANINGS[element.tag], values)
        numbers = [t for t in values.pop("cielab", "").split("\\") if t.isdecimal()]
        if values.get("number", "").isdecimal():
            cielab = tuple(map(int, numbers)) if len(numbers) == 3 else ()
            found.append(Segment(**{**values, "number": int(values["number"])}, cielab=cielab))
    if not found:
        return ""
    kept = [{k: v for k, v in asdict(segment).items() if v != ""} for segment in found]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def series_referred_to(sequence: Element, texts: Texts) -> str:
    r"""The series UIDs of ReferencedSeriesSequence, joined by ``\`` (PS3.3 C.12.2)."""
    found = []
    for item in sequence.items():
        found += [_text(element, texts) for element in item if element.tag == _SERIES_UID]
    return "\\".join(uid for uid in dict.fromkeys(found) if uid)


@lru_cache(maxsize=64)
def segments_from(text: str) -> tuple[Segment, ...]:
    """The segments of a text of `text_of_segments`, by number.

    Examples
    --------
    >>> segments_from('[{"number":2,"label":"liver"},{"number":1}]')[1].label
    'liver'
    """
    known = {field.name for field in fields(Segment)}
    found: dict[int, Segment] = {}
    for values in json.loads(text) if text else ():
        kept = {k: v for k, v in values.items() if k in known}
        segment = Segment(**{**kept, "cielab": tuple(kept.get("cielab", ()))})
        found.setdefault(segment.number, segment)
    return tuple(found[number] for number in sorted(found))


def _read_code(sequence: Element, texts: Texts, name: str, values: dict[str, Any]) -> None:
    """Keep the meaning of a code, and of the modifiers that stand in a type."""
    for item in sequence.items():
        for element in item:
            if element.tag == _CODE_MEANING:
                values[name] = _text(element, texts)
            elif sequence.tag == _TYPE and element.tag in _MEANINGS:
                _read_code(element, texts, _MEANINGS[element.tag], values)
        break


def _text(element: Element, texts: Texts) -> str:
    if element.length == UNDEFINED:
        return ""
    vr = element.vr
    if vr in (b"", b"UN"):
        vr = dictionary_VR(element.tag).encode()
    return texts.read(element.tag, vr, element.raw(), element.encoding.order)
