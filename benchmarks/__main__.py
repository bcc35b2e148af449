"""``python -m benchmarks [NAME [ROW …] …]``: prints the tables of docs/performance.md.

Names are ``frames``, ``cluster``, ``headers``, ``codecs`` and ``grids``; rows, those of
`benchmarks.headers.BENCHMARKS` and keywords of transfer syntaxes.
``headers --profile`` prints where a scan spends its time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import cluster, codecs, frames, grids, headers
from benchmarks.measure import Row, table

BENCHMARKS: dict[str, Callable[..., list[Row]]] = {
    "frames": frames.run,
    "cluster": cluster.run,
    "headers": headers.run,
    "codecs": codecs.run,
    "grids": grids.run,
}


def main() -> None:
    """Run the benchmarks that are named, or all."""
    wanted: list[tuple[str, list[str]]] = []
    for word in sys.argv[1:] or BENCHMARKS:
        if word in BENCHMARKS:
            wanted.append((word, []))
        elif wanted:
            wanted[-1][1].append(word)
        else:
            raise SystemExit(f"{word}: none of {', '.join(BENCHMARKS)}")
    rows = [row for name, words in wanted for row in BENCHMARKS[name](*words)]
    if rows:
        print(table(rows))


if __name__ == "__main__":
    main()
