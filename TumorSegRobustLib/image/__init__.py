"""Images and where they lie in the patient: read, write, resample, orient; DICOM series in. Positions are LPS mm."""

from TumorSegRobustLib.image.dicom import DicomSeries, list_series, read_series
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.reading import read_image, read_mask
from TumorSegRobustLib.image.resampling import align_channels, orient, resample
from TumorSegRobustLib.image.volume import Image, from_sitk, to_sitk
from TumorSegRobustLib.image.writing import write_image

__all__ = ["DicomSeries", "Geometry", "Image", "align_channels", "from_sitk", "list_series", "orient", "read_image",
           "read_mask", "read_series", "resample", "to_sitk", "write_image"]
