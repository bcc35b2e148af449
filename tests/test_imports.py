"""The installed package: rooms import in one direction; public names and entry points are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
import xarray as xr
from xarray.backends import BackendEntrypoint

import xdicom

ROOT = Path(__file__).resolve().parents[1]

RUN = """
import sys
from importlinter.cli import lint_imports

sys.exit(lint_imports(no_cache=True))
"""


def lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    """Run the contract of pyproject.toml on the package in `source`, with this interpreter."""
    return subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(source), "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, to break."""
    shutil.copytree(
        ROOT / "src" / "xdicom",
        tmp_path / "xdicom",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return tmp_path


def test_rooms_import_in_one_direction() -> None:
    result = lint_imports(ROOT / "src")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Contracts: 1 kept, 0 broken." in result.stdout


@pytest.mark.parametrize(
    ("room", "above"),
    [("errors", "sources"), ("pixels", "opening"), ("accessor", "entrypoint"), ("api", "testing")],
)
def test_an_import_from_a_room_above_is_found(copy: Path, room: str, above: str) -> None:
    module = copy / "xdicom" / f"{room}.py"
    if not module.exists():
        module = copy / "xdicom" / room / "__init__.py"
    with module.open("a") as file:
        file.write(f"\nimport xdicom.{above}\n")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"xdicom.{room} is not allowed to import xdicom.{above}" in result.stdout


def test_a_way_round_through_the_top_package_is_found(copy: Path) -> None:
    with (copy / "xdicom" / "errors.py").open("a") as file:
        file.write("\nimport xdicom\n")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "xdicom.errors -> xdicom" in result.stdout


def test_a_room_without_a_place_is_found(copy: Path) -> None:
    (copy / "xdicom" / "utils.py").touch()
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "xdicom.utils" in result.stdout


def test_public_names_are_those_of_all() -> None:
    names = {
        name
        for name, value in vars(xdicom).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert names == set(xdicom.__all__)
    assert len(xdicom.__all__) == len(names)


def test_xarray_finds_the_engine() -> None:
    (point,) = metadata.entry_points(group="xarray.backends", name="dicom")
    engine = point.load()
    assert point.value == "xdicom.entrypoint:DicomBackendEntrypoint"
    assert issubclass(engine, BackendEntrypoint)
    assert isinstance(xr.backends.list_engines()["dicom"], engine)


def test_the_command_is_installed() -> None:
    (point,) = metadata.entry_points(group="console_scripts", name="xdicom")
    assert callable(point.load())
