"""Read and write NRRD and MetaImage through SimpleITK, which checks the size of the data in both."""

from __future__ import annotations

import re
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import check_size
from TumorSegRobustLib.image.metaimage_header import check_complete
from TumorSegRobustLib.image.volume import Image, from_sitk, to_sitk

# What ITK says, and what it means.
_MEANINGS = (
    ("Unable to determine ImageIO reader", "its content is not that of its extension; export it again"),
    ("Zero-valued spacing", "its voxel size is zero; repair the header"),
    ("Bad direction", "its direction matrix is singular; repair the header"),
    ("determinant is 0", "its direction matrix is singular; repair the header"),
    ("MetaImageIO", "its data are missing or cut off; copy or export it again"),
    ("fread got only", "its data are cut off; copy or export it again"),
    ("expected .* bytes but received", "its data are cut off; copy or export it again"),
)


def read_with_itk(path: Path) -> Image:
    """The volume of an NRRD or MetaImage file. Raises UnusableInput for anything but a complete 3D volume."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_header(reader.GetSize(), reader.GetNumberOfComponents(), path.name)
        if path.suffix.lower() in (".mha", ".mhd"):
            check_complete(path)
        source = reader.Execute()
    except RuntimeError as error:
        raise UnusableInput(f"{path.name} cannot be read: {meaning(error)}") from error
    if source.GetDimension() == 4:
        source = source[:, :, :, 0]
    try:
        return from_sitk(source, path.name)
    except UnusableInput as error:
        raise UnusableInput(f"{path.name}: {error}") from error


def write_with_itk(image: Image, path: Path) -> None:
    """Write a compressed NRRD or MetaImage file. Raises OSError when the disk refuses."""
    import SimpleITK as sitk

    try:
        sitk.WriteImage(to_sitk(image), str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(meaning(error)) from error


def meaning(error: RuntimeError) -> str:
    """One line for a SimpleITK exception, which is several lines of file names and addresses."""
    text = str(error).strip()
    for pattern, words in _MEANINGS:
        if re.search(pattern, text):
            return words
    lines = [line.strip() for line in text.splitlines() if re.search("[A-Za-z]{3}", line)]
    return re.sub(r"^ITK ERROR: (\w+\(0x[0-9a-f]+\): )?", "", lines[-1]) if lines else "unknown reason"


def _check_header(size: tuple[int, ...], components: int, name: str) -> None:
    check_size(size, name)
    if min(size) < 1:
        raise UnusableInput(f"{name} is empty ({'x'.join(map(str, size))} voxels); export it again")
    if components != 1:
        raise UnusableInput(
            f"{name} is a colour or vector image ({components} values per voxel); "
            "give an image with one value per voxel"
        )
    if len(size) < 3:
        raise UnusableInput(f"{name} is {len(size)}D; open the whole series as one 3D volume")
    if len(size) > 4 or (len(size) == 4 and size[3] > 1):
        raise UnusableInput(f"{name} is {len(size)}D ({size[-1]} volumes); give one 3D volume of it")
