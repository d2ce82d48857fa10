"""The MRML adapter of both panels: nodes <-> Image, segments <-> masks, markups <-> clicks; SceneBinding.

Takes the scene and nodes as arguments, so that it works in desktop Slicer, in a bare scene and in the
browser panel alike.
"""

from TumorSegRobustLib.scene.binding import SceneBinding
from TumorSegRobustLib.scene.colours import uncertainty_colours, uncertainty_table
from TumorSegRobustLib.scene.error_overlay import COLOURS as ERROR_COLOURS
from TumorSegRobustLib.scene.error_overlay import ErrorOverlay
from TumorSegRobustLib.scene.hierarchy import file_under_patient
from TumorSegRobustLib.scene.kept_review import KeptReview, kept_review, place_of
from TumorSegRobustLib.scene.layouts import AXIAL_LARGE, FOUR_UP, choose_layout, layout_of
from TumorSegRobustLib.scene.markups import (
    PlacedClicks,
    clicks_to_fiducials,
    create_fiducials,
    fiducials_to_clicks,
)
from TumorSegRobustLib.scene.overlay import overlay_volume, set_overlay_window, update_overlay
from TumorSegRobustLib.scene.segments import (
    create_segmentation,
    mask_to_segment,
    other_segments,
    segment_to_mask,
)
from TumorSegRobustLib.scene.space import lps_of, place_in_words, ras_of
from TumorSegRobustLib.scene.still_click import IN_3D, StillClicks
from TumorSegRobustLib.scene.surface import create_surface, update_surface
from TumorSegRobustLib.scene.views import heart_of, jump_to, point_at, show_in_slices, slice_nodes
from TumorSegRobustLib.scene.volumes import (
    image_to_volume,
    set_window,
    usual_window,
    volume_to_image,
    window_of,
)

__all__ = [
    "AXIAL_LARGE",
    "ERROR_COLOURS",
    "FOUR_UP",
    "IN_3D",
    "ErrorOverlay",
    "KeptReview",
    "PlacedClicks",
    "SceneBinding",
    "StillClicks",
    "choose_layout",
    "clicks_to_fiducials",
    "create_fiducials",
    "create_segmentation",
    "create_surface",
    "fiducials_to_clicks",
    "file_under_patient",
    "heart_of",
    "image_to_volume",
    "jump_to",
    "kept_review",
    "layout_of",
    "lps_of",
    "mask_to_segment",
    "other_segments",
    "overlay_volume",
    "place_in_words",
    "place_of",
    "point_at",
    "ras_of",
    "segment_to_mask",
    "set_overlay_window",
    "set_window",
    "show_in_slices",
    "slice_nodes",
    "uncertainty_colours",
    "uncertainty_table",
    "update_overlay",
    "update_surface",
    "usual_window",
    "volume_to_image",
    "window_of",
]
