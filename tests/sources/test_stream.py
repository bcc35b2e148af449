"""A stream over an open file reads as the file itself does."""

from __future__ import annotations

import io

import pytest

from xdicom.sources.places import source_of
from xdicom.sources.stream import stream_of

DATA = bytes(range(256)) * 100


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return str(path)


def test_reads_as_the_file_does(path):
    steps = [
        ("read", 10), ("tell",), ("seek", 5), ("read", 3), ("seek", 20, io.SEEK_CUR), ("tell",),
        ("seek", -7, io.SEEK_END), ("read", 100), ("read", 1), ("seek", 20_000), ("read", 9_000),
        ("seek", 30_000), ("tell",), ("read", 1), ("read",), ("seek", 1_000), ("read",), ("read",),
        ("seek", 100), ("readline",), ("seekable",), ("readable",), ("writable",),
    ]  # fmt: skip
    with (
        open(path, "rb") as expected,
        source_of(path).open(path) as file,
        stream_of(file, path) as stream,
    ):
        for name, *arguments in steps:
            found = getattr(stream, name)(*arguments)
            assert found == getattr(expected, name)(*arguments), (name, arguments)
        assert stream.name == expected.name
        with pytest.raises(ValueError, match="no position before the first byte"):
            stream.seek(-1)


def test_leaves_the_file_open(path):
    with source_of(path).open(path) as file:
        with stream_of(file, path) as stream:
            stream.read(1)
        assert stream.closed
        assert file.read(3, 1) == DATA[1:4]
        with pytest.raises(ValueError, match="closed"):
            stream.read(1)


def test_reads_no_more_than_its_buffer(path):
    class Counted:
        size, mtime_ns = len(DATA), 0
        asked: list[tuple[int, int]] = []  # noqa: RUF012

        def read(self, length, position):
            self.asked.append((position, length))
            return DATA[position : position + length]

        def read_into(self, buffer, position):
            found = self.read(buffer.nbytes, position)
            buffer[: len(found)] = found
            return len(found)

    with stream_of(Counted(), path) as stream:
        stream.read(4)
        stream.read(4)
        assert Counted.asked == [(0, io.DEFAULT_BUFFER_SIZE)]
        assert stream.read() == DATA[8:]
        assert Counted.asked[1:] == [(io.DEFAULT_BUFFER_SIZE, len(DATA) - io.DEFAULT_BUFFER_SIZE)]
