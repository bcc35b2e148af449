"""The words that vendors write for components become the labels of the component axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# PS3.3 C.8.13.3.1.1 (ComplexImageComponent) and the third and later values of ImageType and
# FrameType, with the words that vendors write for them
LABELS: Final[dict[str, str]] = {
    "M": "M", "MAGNITUDE": "M", "M_FFE": "M", "M_SE": "M", "M_IR": "M", "M_PCA": "M",
    "P": "P", "PHASE": "P", "PHASE MAP": "P", "PHASE_MAP": "P", "P_FFE": "P", "P_SE": "P",
    "P_IR": "P", "P_PCA": "P", "VELOCITY MAP": "P", "VELOCITY_MAP": "P",
    "R": "R", "REAL": "R", "R_FFE": "R", "R_SE": "R", "R_IR": "R",
    "I": "I", "IMAGINARY": "I", "I_FFE": "I", "I_SE": "I", "I_IR": "I",
    "W": "W", "WATER": "W", "F": "F", "FAT": "F",
    "IP": "IP", "IN_PHASE": "IP", "OP": "OP", "OUT_PHASE": "OP", "OPP_PHASE": "OP",
    "FIELD_MAP": "FIELD_MAP", "FIELD MAP": "FIELD_MAP", "B0 MAP": "FIELD_MAP", "B0": "FIELD_MAP",
}  # fmt: skip
"""Short name of each known word."""

_ORDER: Final = ("M", "P", "R", "I")


def component_labels(words: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Labels of components, and their order: M, P, R, I, then alphabetical.

    Parameters
    ----------
    words : sequence of sequences of str
        For each component the values of the attributes that vary.

    Returns
    -------
    labels : list of str
        Short names where known words tell all components apart, else the words that only some of
        them have, else all words.
    order : list of int
        The components in the order of their labels.

    Examples
    --------
    >>> component_labels([["P", "ND"], ["M", "ND"]])
    (['P', 'M'], [1, 0])
    >>> component_labels([["DIXON", "WATER"], ["DIXON", "FAT"], ["DIXON", "FF"]])
    (['W', 'F', 'FF'], [1, 2, 0])
    """
    common = set.intersection(*map(set, words))
    own = [[w for w in dict.fromkeys(each) if w not in common] for each in words]
    choices = (
        [_known(each) or "\\".join(each) for each in own],
        ["\\".join(each) for each in own],
        ["\\".join(each) for each in words],
    )
    labels = next((c for c in choices if "" not in c and len(set(c)) == len(c)), choices[-1])
    rank = {label: i for i, label in enumerate(_ORDER)}
    order = sorted(range(len(labels)), key=lambda i: (rank.get(labels[i], len(rank)), labels[i]))
    return labels, order


def _known(words: Sequence[str]) -> str:
    """The name of known words: of what is shown rather than of M, P, R and I.

    A Philips field map is REAL by ComplexImageComponent and FIELD_MAP by FrameType.
    """
    names = [LABELS[word] for word in words if word in LABELS]
    return min(names, key=lambda name: name in _ORDER, default="")
