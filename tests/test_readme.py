"""The code of README, guide and notebooks runs, and gives the output that stands beneath it."""

from __future__ import annotations

import ast
import doctest
import io
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from xdicom.opening.options import _CHOICES, _LATER, OPTION_NAMES

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/guide.md")
NOTEBOOKS = ("first-look.ipynb", "archive.ipynb")
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """Code of a page, and the output that stands right beneath it."""

    line: int
    code: str
    expected: str | None


def blocks(text: str) -> Iterator[Block]:
    """The Python blocks of a page; a ``text`` block that follows one holds its output."""
    found = list(FENCE.finditer(text))
    for i, match in enumerate(found):
        if match["kind"] != "python":
            continue
        expected = None
        if i + 1 < len(found) and found[i + 1]["kind"] == "text":
            between = text[match.end() : found[i + 1].start()]
            expected = found[i + 1]["body"] if not between.strip() else None
        yield Block(text[: match.start("body")].count("\n"), match["body"], expected)


def output(block: Block, page: str, names: dict[str, object]) -> str:
    """Run a block; gives what it prints, and the value of its last line, as a notebook does."""
    tree = ast.parse(block.code, page)
    ast.increment_lineno(tree, block.line)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(tree, page, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), page, "eval"), names)
            if value is not None:
                print(repr(value))  # noqa: T201
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_code_gives_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page}
    checker = doctest.OutputChecker()
    compared = 0
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = output(block, page, names)
        if block.expected is not None:
            compared += 1
            example = doctest.Example(block.code, block.expected)
            assert checker.check_output(block.expected, found, OUTPUT), (
                f"{page}:{block.line}\n{checker.output_difference(example, found, OUTPUT)}"
            )
    assert compared >= 3


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page):
    file = ROOT / page if page == "README.md" else ROOT / "docs" / page
    text = FENCE.sub("", file.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (file.parent / target).exists(), f"{page} links to {target}"


def rows_of_options() -> dict[str, list[str]]:
    """The table of docs/options.md: the cells of the row of each option."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [c.strip() for c in line.strip("|").split("|")]
            for name in re.findall(r"`(\w+)`", cells[0]):
                rows[name] = cells
    return rows


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_each_option_has_its_row(name):
    rows = rows_of_options()
    assert name in rows
    _, values, _ = rows[name]
    for value in _CHOICES.get(name, ()):
        assert f"`{value!r}`".replace("'", '"') in values
    marked = set(re.findall(r"`([^`]+)` ○", values))
    if name in _CHOICES:
        later = _LATER.get(name, lambda value: False)
        assert marked == {f'"{value}"' for value in _CHOICES[name] if later(value)}
    else:
        assert bool(marked) == (name in _LATER)


def test_no_option_is_made_up():
    xarray_own = {"chunks", "drop_variables", "cache"}
    assert set(rows_of_options()) - xarray_own == set(OPTION_NAMES)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_runs(name, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = [o for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    assert any("image/png" in o["data"] for o in shown)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_is_stored_without_output_and_runs_as_a_script(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    text = (ROOT / "notebooks" / name).read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"]
        assert cell["execution_count"] is None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output(Block(0, "".join(cell["source"]), None), f"cell {number}", names)
