"""A command line becomes a call: `xdicom demo`, `xdicom info`."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import xarray as xr

import xdicom.accessor  # noqa: F401  so that trees have .dicom
from xdicom.demo import OUT, run
from xdicom.display.outline import outline
from xdicom.errors import XDicomError, XDicomWarning

NOTHING = 2
"""Exit code where there is nothing to work on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        0; 1 where a check failed; 2 where the arguments are wrong or there is no DICOM.
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal without ✓ shows a question mark
        sys.stdout.reconfigure(errors="replace")
    try:
        if arguments.command == "demo":
            return run(arguments.folder, arguments.out)
        return _info(arguments.folder)
    except BrokenPipeError:
        # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("xdicom", description="DICOM as lazy, labelled xarray arrays.")
    parser.add_argument("--version", action="version", version=f"xdicom {version('xdicom')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="the whole way, from files to arrays and back, each step timed and checked",
        description="Opens, explains, selects, averages, fits, caches, writes back and draws: "
        "bundled and simulated series, or those of FOLDER. Nothing is written into FOLDER.",
    )
    demo.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="your own study")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path(OUT),
        metavar="DIR",
        help="where the pictures go (default: %(default)s)",
    )
    info = commands.add_parser(
        "info", help="list what a folder holds", description="Patients, studies and series."
    )
    info.add_argument("folder", type=Path, metavar="FOLDER")
    return parser


def _info(folder: Path) -> int:
    try:
        with warnings.catch_warnings():
            # the tree says it all
            warnings.simplefilter("ignore", XDicomWarning)
            tree = xr.open_datatree(folder, engine="dicom")
    except (XDicomError, OSError) as error:
        print(f"xdicom: {error}", file=sys.stderr)
        return NOTHING
    print(outline(tree))
    problems = tree.dicom.problems
    if len(problems):
        counts = ", ".join(f"{n} {kind}" for kind, n in problems["kind"].value_counts().items())
        print(f"\nproblems: {counts} (tree.dicom.problems lists them)")
    return 0
