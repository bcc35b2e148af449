"""``python -m benchmarks [frames] [cluster]``: prints the table of docs/performance.md."""

from __future__ import annotations

import sys

from benchmarks import cluster, frames
from benchmarks.measure import table

BENCHMARKS = {"frames": frames.run, "cluster": cluster.run}


def main() -> None:
    """Run the benchmarks that are named, or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    rows = [row for name in names for row in BENCHMARKS[name]()]
    print(table(rows))


if __name__ == "__main__":
    main()
