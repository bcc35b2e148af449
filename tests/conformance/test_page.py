"""docs/conformance.md says what the comparisons find now."""

from __future__ import annotations

import pytest
from peers.page import PAGE, text_of_page

pytestmark = pytest.mark.conformance


def test_page_is_up_to_date(request):
    text = text_of_page()
    if request.config.getoption("--write-conformance", default=False):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text
