"""Contours out of the house and back: RTSTRUCT and DICOM SEG that refer to the images they lie on."""

from TumorSegRobustLib.export.roi import Roi
from TumorSegRobustLib.export.rtstruct import (
    RoiReport,
    RtstructReport,
    write_rtstruct,
    write_rtstruct_rois,
)
from TumorSegRobustLib.export.rtstruct_reader import read_rtstruct
from TumorSegRobustLib.export.seg import SegmentReport, SegReport, write_seg

__all__ = [
    "Roi",
    "RoiReport",
    "RtstructReport",
    "SegReport",
    "SegmentReport",
    "read_rtstruct",
    "write_rtstruct",
    "write_rtstruct_rois",
    "write_seg",
]
