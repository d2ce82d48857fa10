"""Images and where they lie in the patient: read, write, resample, orient; DICOM series in.

Arrays are (k, j, i); positions are LPS mm. SimpleITK and pydicom load on first use, so that importing is
quick.
"""

from TumorSegRobustLib.image.dicom import DicomSeries, list_series, read_series, series_of_file
from TumorSegRobustLib.image.dicom_headers import is_dicom
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.reading import read_image, read_labels, read_mask
from TumorSegRobustLib.image.resampling import align_channels, orient, resample
from TumorSegRobustLib.image.series_choice import SeriesChoice, SeveralSeries
from TumorSegRobustLib.image.source import Source
from TumorSegRobustLib.image.volume import Image, from_sitk, to_sitk
from TumorSegRobustLib.image.whole_file import whole_file
from TumorSegRobustLib.image.writing import write_image

__all__ = [
    "DicomSeries",
    "Geometry",
    "Image",
    "SeriesChoice",
    "SeveralSeries",
    "Source",
    "align_channels",
    "from_sitk",
    "is_dicom",
    "list_series",
    "orient",
    "read_image",
    "read_labels",
    "read_mask",
    "read_series",
    "resample",
    "series_of_file",
    "to_sitk",
    "whole_file",
    "write_image",
]
