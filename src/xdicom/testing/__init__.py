"""Simulated DICOM series, phantoms, damage and hypothesis strategies, for tests.

Dims, tissue or a good file come in; DICOM files whose every frame tells its own place,
and files that are broken in one known way, go out.
"""

from xdicom.testing.damage import (
    absurd_length,
    deflate_bomb,
    duplicate_element,
    excess_pixels,
    insert_bytes,
    nest_sequences,
    overwrite_bytes,
    pack_file,
    remove_preamble,
    text_file,
    truncate,
)
from xdicom.testing.doses import write_dose
from xdicom.testing.enhanced import write_enhanced
from xdicom.testing.fragments import (
    corrupt_fragment,
    drop_fragments,
    read_fragments,
    shift_offset_table,
    write_fragments,
    write_offsets,
)
from xdicom.testing.layout import ElementSpan, edit, element_span
from xdicom.testing.maps import real_world_map, write_parametric_map
from xdicom.testing.mosaics import csa_header, write_mosaics
from xdicom.testing.multiframe import write_multiframe, write_non_image
from xdicom.testing.nuclear import write_cine, write_nuclear
from xdicom.testing.phantoms import PhantomStudy, flip_angle_series, phantom_study
from xdicom.testing.pixels import frame_number, frame_pixels, series_pixels
from xdicom.testing.pyramids import write_pyramid
from xdicom.testing.segmentations import write_segmentation
from xdicom.testing.series import write_series
from xdicom.testing.slides import slide_pixels, write_slide
from xdicom.testing.strategies import dims_strategy, geometries, outer_indexers, outer_take
from xdicom.testing.vendors import csa_diffusion_header, vendor_elements

__all__ = [
    "ElementSpan",
    "PhantomStudy",
    "absurd_length",
    "corrupt_fragment",
    "csa_diffusion_header",
    "csa_header",
    "deflate_bomb",
    "dims_strategy",
    "drop_fragments",
    "duplicate_element",
    "edit",
    "element_span",
    "excess_pixels",
    "flip_angle_series",
    "frame_number",
    "frame_pixels",
    "geometries",
    "insert_bytes",
    "nest_sequences",
    "outer_indexers",
    "outer_take",
    "overwrite_bytes",
    "pack_file",
    "phantom_study",
    "read_fragments",
    "real_world_map",
    "remove_preamble",
    "series_pixels",
    "shift_offset_table",
    "slide_pixels",
    "text_file",
    "truncate",
    "vendor_elements",
    "write_cine",
    "write_dose",
    "write_enhanced",
    "write_fragments",
    "write_mosaics",
    "write_multiframe",
    "write_non_image",
    "write_nuclear",
    "write_offsets",
    "write_parametric_map",
    "write_pyramid",
    "write_segmentation",
    "write_series",
    "write_slide",
]
