"""Contours out of the house and back: RTSTRUCT that refers to the images it lies on."""

from TumorSegRobustLib.export.rtstruct import (
    Roi,
    RoiReport,
    RtstructReport,
    write_rtstruct,
    write_rtstruct_rois,
)
from TumorSegRobustLib.export.rtstruct_reader import read_rtstruct

__all__ = ["Roi", "RoiReport", "RtstructReport", "read_rtstruct", "write_rtstruct", "write_rtstruct_rois"]
