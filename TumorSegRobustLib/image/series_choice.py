"""What there is to choose from where a folder holds several DICOM series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput


@dataclass(frozen=True)
class SeriesChoice:
    """One series of a folder. spacing_mm: (i, j, k); None where it is no volume, and `fault` says why.

    file: the first of its files, as seen from the folder.
    """

    uid: str
    modality: str
    description: str
    images: int
    spacing_mm: tuple[float, float, float] | None = None
    fault: str = ""
    file: str = ""

    @property
    def words(self) -> str:
        """For messages: "MR FLAIR axial, 40 images"."""
        images = "1 image" if self.images == 1 else f"{self.images} images"
        return f"{f'{self.modality} {self.description}'.strip()}, {images}"

    @property
    def line(self) -> str:
        """For a list on the screen: "MR FLAIR axial, 40 images, 0.9x0.9x4 mm"."""
        if self.spacing_mm is None:
            return f"{self.words}, not a volume"
        return f"{self.words}, {'x'.join(f'{step:.3g}' for step in self.spacing_mm)} mm"

    @property
    def listed(self) -> str:
        """For a line in a terminal, where the file can be given instead of the folder."""
        return f"{self.file} ({self.line})"


class SeveralSeries(UnusableInput):
    """A folder holds several series and nobody said which one is meant; `choices` are those there are."""

    def __init__(self, folder: Path, choices: tuple[SeriesChoice, ...]) -> None:
        listed = "; ".join(choice.listed for choice in choices)
        super().__init__(
            f"{folder} holds {len(choices)} series: {listed}; choose one: give its folder or its file"
        )
        self.folder = folder
        self.choices = choices
