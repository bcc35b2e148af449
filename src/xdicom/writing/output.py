"""What the rules of `xdicom.writing.elements` look at: one frame, its source header, the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, TypeAlias

from pydicom.datadict import tag_for_keyword

from xdicom.headers.values import number
from xdicom.writing import deletions
from xdicom.writing.explicit import Elements, value_of
from xdicom.writing.plan import Encoding, Plan
from xdicom.writing.quantise import Layout


class Rule(Enum):
    """What a rule may say instead of a value."""

    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, eq=False)
class Output:
    """One file to be: what the rules look at."""

    plan: Plan
    """The series."""
    encoding: Encoding
    """How its values are stored."""
    index: int
    """Place of the frame, from 0."""
    header: Elements
    """Elements of the source."""

    @cached_property
    def charset(self) -> tuple[str, ...]:
        """SpecificCharacterSet."""
        return tuple(self.texts("SpecificCharacterSet"))

    @property
    def row(self) -> int:
        """Row of the frame in the table."""
        return int(self.plan.selection.flat[self.index])

    @property
    def cut(self) -> bool:
        """Whether it is one slice of a frame that holds several."""
        return bool(self.plan.selection.table.tile[self.row])

    @property
    def layout(self) -> Layout:
        """Its integers."""
        return self.plan.layout(self.index, self.encoding)

    @property
    def changes(self) -> frozenset[str]:
        """What is no longer as in the source, as `xdicom.writing.deletions` names it."""
        found = {
            deletions.LAYOUT: self.plan.planes.layout or self.cut,
            deletions.FLIP: any(self.plan.planes.flipped),
            deletions.VALUES: not self.encoding.keeps_rescale,
            deletions.SIGN: self.layout.signed != self.plan.sources[self.index].signed,
        }
        return frozenset(change for change, so in found.items() if so)

    def value(self, keyword: str) -> bytes | None:
        """Value of an element of the source, None where it has none."""
        encoded = self.header.get(tag_for_keyword(keyword) or 0)
        return None if encoded is None else value_of(encoded)

    def texts(self, keyword: str) -> list[str]:
        """Values of a text of the source, none where it is missing or empty."""
        value = (self.value(keyword) or b"").decode("latin-1").strip(" \0")
        return [part.strip(" \0") for part in value.split("\\")] if value else []

    def numbers(self, keyword: str) -> list[float]:
        """Values of a DS or IS of the source."""
        return [number(text) for text in self.texts(keyword)]


Maker: TypeAlias = Callable[[Output], Any]
"""A rule: the value of an element, `Rule`, or its encoded bytes."""
