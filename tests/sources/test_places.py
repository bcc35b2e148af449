"""Every read goes through the source of its place: what a source gives is all that is needed."""

from __future__ import annotations

import ast
import gc
import os
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

import xdicom
from xdicom.entrypoint import DicomBackendEntrypoint
from xdicom.errors import CorruptFileError, HeadersUnavailableError
from xdicom.headers.scan import scan_table
from xdicom.headers.store import attribute_column, header_of
from xdicom.pixels.spans import frames_of
from xdicom.sources import places
from xdicom.sources.base import FileStat, Listing
from xdicom.sources.places import list_files, source_of
from xdicom.testing import write_enhanced, write_multiframe, write_series

PACKAGE = Path(xdicom.__file__).parent
OWN_FILES = (
    *("sources/", "writing/", "testing/", "demo/", "cli.py"),
    *("headers/index.py", "headers/index_file.py"),  # SQLite reads its file itself
)
"""Where files of the local disk may be read: the sources, and what writes files and checks them."""
PAST_THE_SOURCE: dict[str, set[str]] = {
    # whether the folder that an index was made of is still there
    "headers/index_session.py": {"os.path.exists"},
}
READS = {
    *("open", "builtins.open", "io.open", "io.FileIO", "mmap.mmap"),
    *(f"os.{name}" for name in ("open", "read", "readv", "pread", "preadv")),
    *(f"os.{name}" for name in ("stat", "lstat", "fstat", "scandir", "listdir", "walk")),
    *(f"os.path.{name}" for name in ("isfile", "isdir", "exists", "getsize", "getmtime")),
    *("numpy.fromfile", "numpy.memmap"),
}
DCMREAD = {"pydicom.dcmread", "pydicom.filereader.dcmread"}
PATH_READS = {"read_bytes", "read_text"}


def reads_past_the_source(code: str) -> set[str]:
    """What in a module reads a file itself, called or handed on."""
    tree = ast.parse(code)
    origin = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for a in node.names:
                origin[a.asname or a.name.split(".")[0]] = (
                    a.name if a.asname else a.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            origin |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}

    def name_of(node: ast.AST) -> str:
        text = ast.unparse(node)
        head, dot, rest = text.partition(".")
        return origin.get(head, head) + dot + rest

    def is_stream(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and name_of(node.func).endswith(".stream_of")

    streams = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if is_stream(item.context_expr) and isinstance(item.optional_vars, ast.Name)
    }
    of_streams = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args
        if is_stream(node.args[0]) or ast.unparse(node.args[0]) in streams
    }
    paths = any(name.split(".")[0] == "pathlib" for name in origin.values())
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            continue
        name = name_of(node)
        if name in READS or (name in DCMREAD and node not in of_streams):
            found.add(name)
        elif isinstance(node, ast.Attribute) and (
            node.attr in PATH_READS or (paths and node.attr == "open")
        ):
            found.add(f"Path.{node.attr}")
    return found


class TestEveryRead:
    @pytest.mark.parametrize(
        ("code", "found"),
        [
            ("open('a')", {"open"}),
            ("list(map(open, names))", {"open"}),
            ("import io\nio.open('a')", {"io.open"}),
            ("import os\nos.stat('a'), os.pread(1, 2, 3)", {"os.stat", "os.pread"}),
            ("import os as system\nsystem.open('a', 0)", {"os.open"}),
            ("import os.path\nos.path.isfile('a')", {"os.path.isfile"}),
            ("from os import preadv as fill\nfill(1, [], 3)", {"os.preadv"}),
            ("import numpy as np\nnp.memmap('a')", {"numpy.memmap"}),
            ("from pathlib import Path\nPath('a').open()", {"Path.open"}),
            ("where.read_bytes()", {"Path.read_bytes"}),
            ("import pydicom\npydicom.dcmread(path)", {"pydicom.dcmread"}),
            ("from pydicom import dcmread\ndcmread(fp=path)", {"pydicom.dcmread"}),
            ("from pydicom import dcmread\nread = dcmread", {"pydicom.dcmread"}),
            ("from pydicom import dcmread\nwith f(path) as s: dcmread(s)", {"pydicom.dcmread"}),
        ],
    )
    def test_past_a_source_is_found(self, code, found):
        assert reads_past_the_source(code) == found

    @pytest.mark.parametrize(
        "code",
        [
            "with source_of(root).open(path) as file: file.read(1, 2)",
            "import os\ndef f(s: os.stat_result): os.path.join('a', 'b')",
            "import xdicom.sources.stream as s, pydicom\npydicom.dcmread(s.stream_of(f, ''))",
            """
            import pydicom
            from xdicom.sources.stream import stream_of as f
            with f(file, path) as stream: pydicom.dcmread(stream, force=True)
            """,
            "def open(path): ...",
        ],
    )
    def test_through_a_source_is_not(self, code):
        assert reads_past_the_source(textwrap.dedent(code)) == set()

    def test_goes_through_a_source(self):
        found = {
            name: reads
            for path in sorted(PACKAGE.rglob("*.py"))
            if not (name := path.relative_to(PACKAGE).as_posix()).startswith(OWN_FILES)
            if (reads := reads_past_the_source(path.read_text(encoding="utf-8")))
        }
        assert found == PAST_THE_SOURCE


class Memory:
    """A source of nothing but what `Source` asks for; files in memory that count what is read."""

    def __init__(self, folder):
        self.files = {}
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                stat = path.stat()
                self.files[str(path)] = (path.read_bytes(), stat.st_mtime_ns)
        self.bytes = self.opened = self.closed = 0

    def list(self, where):
        root = os.fspath(where)
        names = sorted(os.path.relpath(path, root) for path in self.files)
        stats = [self.stat(os.path.join(root, name))._replace(path=name) for name in names]
        return Listing(root, tuple(stats), "folder")

    def stat(self, path):
        if path not in self.files:
            raise FileNotFoundError(path)
        data, mtime_ns = self.files[path]
        return FileStat(path, len(data), mtime_ns)

    def open(self, path):
        self.opened += 1
        return MemoryFile(self, *self.stat(path))

    def read_many(self, ranges, workers=1):
        for path, position, length in ranges:
            try:
                with self.open(path) as file:
                    yield file.read(length, position)
            except OSError as error:
                yield error


class MemoryFile:
    def __init__(self, source, path, size, mtime_ns):
        self.source, self.path, self.size, self.mtime_ns = source, path, size, mtime_ns

    def read(self, length, position):
        found = self.source.files[self.path][0][position : position + length]
        self.source.bytes += len(found)
        return found

    def read_into(self, buffer, position):
        found = self.read(buffer.nbytes, position)
        buffer.cast("B")[: len(found)] = found
        return len(found)

    def read_each(self, length, positions):
        return [self.read(length, position) for position in positions]

    def close(self):
        self.source.closed += 1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


@pytest.fixture
def to_memory(monkeypatch):
    """Move a folder into memory: what is not read through its source is read nowhere."""

    def moved(folder):
        memory = Memory(folder)
        shutil.rmtree(folder)
        monkeypatch.setattr(places, "LOCAL", memory)
        return memory

    return moved


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study"


class TestAnotherSource:
    def test_headers(self, folder, to_memory):
        write_series(folder, {"z": 3}, rows=600, columns=800, attributes={"PatientName": "A^B"})
        expected = dcmread(folder / "IM00002.dcm", stop_before_pixels=True)
        table = scan_table(folder)
        memory = to_memory(folder)
        header = header_of(table, 1)
        assert header == expected
        assert header.filename == table.path(1)
        assert header.buffer is None  # else a copy of the header would copy the file
        assert memory.bytes < 20_000  # and no pixels
        assert attribute_column(table, "PatientName").texts == ("A^B",)
        gc.collect()
        assert memory.opened == memory.closed

    def test_headers_of_deflated_files(self, folder, to_memory):
        write_series(folder, {"z": 1}, transfer_syntax=DeflatedExplicitVRLittleEndian)
        expected = dcmread(folder / "IM00001.dcm", stop_before_pixels=True)
        table = scan_table(folder)
        to_memory(folder)
        assert header_of(table, 0) == expected

    def test_headers_that_changed_or_are_gone(self, folder, to_memory):
        write_series(folder, {"z": 2})
        table = scan_table(folder)
        memory = to_memory(folder)
        data, mtime_ns = memory.files[table.path(0)]
        memory.files[table.path(0)] = data, mtime_ns + 1
        with pytest.raises(CorruptFileError, match="changed since it was indexed"):
            header_of(table, 0)
        assert memory.opened == memory.closed == 1
        del memory.files[table.path(1)]
        with pytest.raises(HeadersUnavailableError, match="cannot be read"):
            header_of(table, 1)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"transfer_syntax": DeflatedExplicitVRLittleEndian},
            {"transfer_syntax": RLELossless},
            {"bits_stored": 12},
            {"slope": 2.5},
        ],
    )
    def test_frames(self, folder, to_memory, options):
        write_series(folder, {"z": 4}, rows=6, columns=8, **options)
        expected = xdicom.open_series(folder).values
        da = xdicom.open_series(folder)
        memory = to_memory(folder)
        np.testing.assert_array_equal(da.isel(z=2).values, expected[2])
        assert memory.opened == memory.closed == 1
        np.testing.assert_array_equal(da.isel(z=2, y=slice(2, 4)).values, expected[2, 2:4])
        np.testing.assert_array_equal(da.values, expected)
        assert memory.opened == memory.closed == 6

    @pytest.mark.parametrize("options", [{}, {"transfer_syntax": RLELossless}])
    def test_frames_of_one_file(self, folder, to_memory, options):
        write_enhanced(folder / "e.dcm", {"time": 3, "z": 4}, rows=6, columns=8, **options)
        da = xdicom.open_series(folder)
        expected = da.values
        table = scan_table(folder)
        spans = frames_of(table)
        memory = to_memory(folder)
        again = frames_of(table)
        assert again.offset.tolist() == spans.offset.tolist()
        assert again.length.tolist() == spans.length.tolist()
        np.testing.assert_array_equal(da.isel(time=1).values, expected[1])
        assert memory.opened == memory.closed > 0

    def test_packed_bits(self, folder, to_memory):
        frames = np.random.default_rng(1).integers(0, 2, (5, 3, 7)).astype(bool)
        write_multiframe(folder / "b.dcm", frames)
        da = xdicom.open_series(folder)
        to_memory(folder)
        np.testing.assert_array_equal(da.values, frames)

    def test_pixels_that_are_cut_off(self, folder, to_memory):
        (path,) = write_series(folder, {"z": 1}, rows=6, columns=8)
        da = xdicom.open_series(folder, mask_and_scale=False)
        memory = to_memory(folder)
        data, mtime_ns = memory.files[str(path)]

        class Shrunk(MemoryFile):
            def read(self, length, position):
                return super().read(max(min(length, self.size - 10 - position), 0), position)

        memory.open = lambda path: Shrunk(memory, path, len(data), mtime_ns)
        with pytest.raises(CorruptFileError, match=r"cut off.*expected 96 bytes; found 86"):
            da.values  # noqa: B018

    def test_whole_way(self, folder, to_memory):
        """Listing, headers and pixels of a folder that is nowhere else."""
        write_series(folder, {"EchoTime": [1.0, 2.0], "z": 3}, rows=6, columns=8)
        expected = xdicom.open_series(folder)
        expected.load()
        memory = to_memory(folder)
        for path, (data, mtime_ns) in list(memory.files.items()):
            memory.files[path] = data, mtime_ns + 1  # so that no table of before is found again
        da = xdicom.open_series(folder)
        np.testing.assert_array_equal(da.values, expected.values)
        assert da.dims == expected.dims
        assert memory.opened == memory.closed

    def test_guessing(self, folder, to_memory):
        (path,) = write_series(folder, {"z": 1})
        memory = to_memory(folder)
        memory.files["other"] = (b"x" * 200, 0)
        engine = DicomBackendEntrypoint()
        guesses = [engine.guess_can_open(where) for where in (path, "other", "gone", 5, [path])]
        assert guesses == [True, False, False, False, False]

    def test_listing(self, folder, to_memory):
        write_series(folder, {"z": 2})
        memory = to_memory(folder)
        assert source_of(str(folder)) is memory
        assert [file.path for file in list_files(folder).files] == ["IM00001.dcm", "IM00002.dcm"]


def test_guessing_on_the_disk(tmp_path):
    (path,) = write_series(tmp_path / "study", {"z": 1})
    (tmp_path / "short").write_bytes(b"DICM")
    engine = DicomBackendEntrypoint()
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else None
    wheres = [path, str(path), tmp_path, tmp_path / "short", tmp_path / "gone", None, "a\0b"]
    assert [engine.guess_can_open(where) for where in wheres] == [True, True] + [False] * 5
    if before is not None:
        assert os.listdir("/proc/self/fd") == before
