"""Write an image so that the file appears complete or not at all."""

from __future__ import annotations

from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.itk_files import write_with_itk
from TumorSegRobustLib.image.nifti import write_nifti
from TumorSegRobustLib.image.volume import Image
from TumorSegRobustLib.image.whole_file import whole_file

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def write_image(image: Image, path: str | Path) -> None:
    """Write NIfTI, NRRD or MHA, chosen by the extension; bool is stored as uint8, float16 as float32.

    Raises UnusableInput when the extension is unknown or the disk refuses; then no file is left behind, and
    one that was there before stays.
    """
    path = Path(path)
    suffix = next((known for known in SUFFIXES if path.name.lower().endswith(known)), None)
    if suffix is None:
        raise UnusableInput(
            f"{path.name} has no image extension known here; use one of {', '.join(SUFFIXES)}"
        )
    with whole_file(path) as temporary:
        if suffix.startswith(".nii"):
            write_nifti(image, temporary, compress=suffix == ".nii.gz")
        else:
            write_with_itk(image, temporary)
