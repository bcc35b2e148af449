"""All comparisons become the page docs/conformance.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from peers.agreement import Findings, compare_with_dcm2niix, compare_with_itk
from peers.collections import CATEGORIES, Node, collections, conversion, files_of, folder_of, nodes
from peers.meant import MEANT, NO_ARRAY, VALUES
from peers.niftis import EXTRA, images
from peers.pixels import ALSO_READ, REFUSED, Outcome, check_file
from peers.placement import TOLERANCE
from xdicom.errors import NotDicomError

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"

HEAD = """\
# Conformance

Real files, opened by xdicom and by others. `tests/conformance` writes this page and fails where it
is no longer true; with the folder of real files in `XDICOM_TEST_DATA`:

    python -m pytest tests/conformance                       # compares
    python -m pytest tests/conformance --write-conformance   # writes this page anew

* **pydicom** is the judge of stored values: each frame of each file, opened by its own path and as
  part of its series, has the SHA-256 of what pydicom decodes, colours converted and as stored.
* **dcm2niix** is the judge of grids and affines: its NIfTI images are found in our arrays, volume
  by volume, every corner voxel within {tolerance} mm, all voxels by digest, rows flipped as it
  writes them; components, echo times, b-values and directions too, where both have them.
* **SimpleITK**'s series reader is a second opinion for single volumes: size, spacing, origin,
  direction, voxels. It mis-stacks everything else.

Copies of the collections in `ct`, `mr3d`, `mr4d` and `enhanced` with all file names, UIDs,
descriptions and dates changed, in random order, open to the same arrays and coordinates.

"""


LOSSY_TEXT = """
Lossy JPEG (baseline and extended): ISO/IEC 10918 bounds a decoder's error (ITU-T T.83) and does not
define its values bit by bit, and PS3.5 8.2.1 says no more. Frames have pydicom's digest or lie
within one grey level of another decoder's as stored, three after YBR to RGB.
"""


@dataclass
class Row:
    """What the page says of one collection."""

    collection: str
    """Its name."""
    arrays: list[str] = field(default_factory=list)
    """Dims with sizes of each array."""
    geometry: list[str] = field(default_factory=list)
    """Kinds of geometry."""
    pixels: Outcome = field(default_factory=Outcome)
    """Against pydicom."""
    niftis: Findings = field(default_factory=Findings)
    """Against dcm2niix."""
    volumes: Findings = field(default_factory=Findings)
    """Against SimpleITK."""


def row_of(collection: str) -> Row:
    """Compare one collection with everything."""
    row = Row(collection)
    for path in files_of(collection):
        row.pixels.add(check_file(path, "rgb"))
    for node in _as_opened(collection):
        if node.error:
            row.arrays.append(node.error.split(":")[0] + _filled(collection, node))
            continue
        row.arrays.append(", ".join(f"{d} {n}" for d, n in node.pixels.sizes.items()))
        space = node.dataset["patient_space"].attrs
        row.geometry.append(space["geometry"] + (", uneven" if "regular" in space else ""))
    row.niftis = compare_with_dcm2niix(collection)
    row.volumes = compare_with_itk(collection)
    return row


def _filled(collection: str, node: Node) -> str:
    """What ``ragged="fill"`` gives, where it helps."""
    if not node.error.startswith("NotHypercubeError"):
        return ""
    for other in nodes(folder_of(collection), ragged="fill", fill_value=0):
        if other.path == node.path and not other.error:
            sizes = ", ".join(f"{d} {n}" for d, n in other.pixels.sizes.items())
            return f'; with ragged="fill": {sizes}'
    return ""


def _as_opened(collection: str) -> list[Node]:
    try:
        return nodes(folder_of(collection))
    except NotDicomError as error:
        return [Node("", _nothing(error))]


def _nothing(error: NotDicomError) -> xr.Dataset:
    """A Dataset that says why there is none."""
    return xr.Dataset(attrs={"dicom_error": f"{type(error).__name__}: {error}"})


def _grouped(texts: list[str]) -> str:
    """Equal texts once, with their count."""
    counts = {text: texts.count(text) for text in dict.fromkeys(texts)}
    return "; ".join(f"{n} × ({text})" if n > 1 else text for text, n in counts.items()) or "—"


def _count(n: int, name: str) -> str:
    return f"{n} {name}" + ("s" if n != 1 else "")


def _pixels(outcome: Outcome) -> str:
    parts = [_count(outcome.equal + outcome.lossy + outcome.read, "frame")] if (
        outcome.equal + outcome.lossy + outcome.read
    ) else []  # fmt: skip
    for n, name in (
        (outcome.lossy, "of lossy JPEG"),
        (outcome.read, "not read by pydicom.pixels"),
        (outcome.refused, "refused"),
    ):
        if n:
            parts.append(f"{n} {name}")
    return ", ".join(parts) or "—"


def _niftis(row: Row) -> str:
    if row.collection in MEANT:
        return "differs: see below"
    found = row.niftis
    parts = []
    if found.images:
        parts.append(_count(found.images, "image"))
    if found.by_file:
        parts.append(f"{_count(found.by_file, 'image')} file by file")
    if found.planes:
        parts.append(f"{found.planes} without a position")
    mappings = _mappings(found.found)
    return ", ".join(parts) + (f": {mappings}" if mappings else "") or "—"


def _mappings(found: list[str]) -> str:
    return "; ".join(text for text in dict.fromkeys(found) if text)


def _volumes(row: Row) -> str:
    return _count(row.volumes.images, "volume") if row.volumes.images else "—"


ELSEWHERE = """
## Real files that other tests compare

* `seg`, `rtdose`, `pmap`: segments with highdicom's, doses with pydicom's and SimpleITK's, maps
  with their real-world values (`tests/conformance/test_special.py`).
* `wsi`, and tiled segmentations: the total pixel matrix and its place with highdicom's
  (`tests/conformance/test_slides.py`).
* b-values and gradient directions of GE, Philips, Siemens and UIH with dcm2niix's
  (`tests/conformance/test_diffusion.py`); NIfTI files, SimpleITK images and highdicom volumes that
  xdicom makes (`tests/conformance/test_interop.py`); windows, VOI LUTs, palettes and overlays with
  pydicom's (`tests/conformance/test_display.py`).
* `us`: no test compares these files frame by frame yet.

## Tested with generated data only

No real file of these is at hand: descending mosaics, the older form of the CSA header, mosaics in
enhanced objects; GE's component (0043,xx2F) and timer; Philips' component, ASL and cardiac phase;
Siemens' coil and phase contrast; multi-energy CT; gated PET, enhanced PET; vectors of Nuclear
Medicine other than those of `nm`; ultrasound regions other than one image; relative and descending
RT Dose offsets; fractional segmentations on a tilted stack; several optical paths and focal planes;
concatenations of slides. Canon's private tags are not read.
"""


def text_of_page() -> str:
    """The page as it should be."""
    rows = [row_of(name) for name in collections()]
    wrong = [d for r in rows for f in (r.pixels, r.niftis, r.volumes) for d in f.differences
             if r.collection not in MEANT]  # fmt: skip
    assert wrong == []
    lines = [HEAD.format(tolerance=f"{TOLERANCE:g}")]
    lines.append(_totals(rows))
    lines.append("| collection | arrays | geometry | pydicom | dcm2niix | SimpleITK |\n")
    lines.append("|---|---|---|---|---|---|\n")
    for row in rows:
        cells = (row.collection, _grouped(row.arrays), _grouped(row.geometry), _pixels(row.pixels),
                 _niftis(row), _volumes(row))  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |\n")
    lines.append(_reasons())
    lines.append(ELSEWHERE)
    return "".join(lines)


def _totals(rows: list[Row]) -> str:
    equal, lossy, read = (
        sum(getattr(r.pixels, k) for r in rows) for k in ("equal", "lossy", "read")
    )
    files = sum(len(files_of(r.collection)) - r.pixels.others for r in rows)
    whole = sum(r.niftis.images + r.niftis.by_file for r in rows if r.collection not in MEANT)
    planes = sum(r.niftis.planes for r in rows)
    volumes = sum(r.niftis.volumes for r in rows if r.collection not in MEANT)
    itk = sum(r.volumes.images for r in rows)
    return (
        f"{len(rows)} collections in {', '.join(f'`{c}`' for c in CATEGORIES)}, {files} files. "
        f"{equal} frames have pydicom's digest, {lossy} of lossy JPEG lie within its tolerance, "
        f"{read} are right where pydicom.pixels reads nothing. {whole} of dcm2niix's images "
        f"({volumes} volumes) lie where our arrays have them, {planes} more have no position and "
        f"the same values. {itk} volumes are SimpleITK's.\n\n"
        "In dcm2niix's column, a dim that is named alone spans the image's volumes, in our order "
        "or in the one given; a dim with a value says which part of our array the image is. An "
        "error in place of an array is explained below.\n\n"
    )


def _reasons() -> str:
    unread = sorted(
        {n.name for c in collections() for n in conversion(c).niftis}
        - {n.name for c in collections() for n in images(conversion(c))}
    )
    parts = [
        "\n## What differs on purpose\n",
        "\nGrids and affines, against dcm2niix (no more than three collections):\n\n",
        *(f"* `{name}`: {meant.reason}.\n" for name, meant in MEANT.items()),
        "\nVoxel values of dcm2niix, where pydicom's are ours:\n\n",
        *(f"* `{name}`: {reason}.\n" for name, reason in VALUES.items()),
        "\nFiles that are no array of their folder:\n\n",
        *(f"* `{name}`: {error}: {reason}.\n" for name, (error, _, reason) in NO_ARRAY.items()),
        "\nFiles that are refused:\n\n",
        *(f"* `{_short(path)}`: {reason}.\n" for path, (_, reason) in REFUSED.items()),
        "\nFiles that `pydicom.pixels` does not read, and xdicom does:\n\n",
        *(f"* `{_short(path)}`: {reason}.\n" for path, (reason, _) in ALSO_READ.items()),
        LOSSY_TEXT,
        f"\nNot compared: {_count(len(unread), 'image')} that dcm2niix derives from others (",
        f"{', '.join(EXTRA)}: slices at even distance, tilt corrected, overlays). Resampling must ",
        "be asked for (SPEC §5.4), overlays are no pixels (SPEC §4.1).\n",
    ]
    return "".join(parts)


def _short(path: str) -> str:
    """A path whose file is called by a part of its name that tells it apart."""
    folder, name = path.rsplit("/", 1)
    return f"{folder}/{name.removeprefix('CTImage.dcm_')}"
