"""For the tests of bad input: a bench with good files, and makers of bad ones."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fixtures_cli import head, position_of, save, write_clicks
from fixtures_export import Grid, write_series
from fixtures_inference import tiny_package

from TumorSegRobustLib.cli import run
from TumorSegRobustLib.models import Channel

Words = list[object]


@dataclass(frozen=True)
class Bench:
    """A folder with what the cases need: a good scan, its truth, a model, and room for something bad."""

    folder: Path
    scan: Path
    truth: Path
    model: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def file(self, name: str) -> Path:
        return self.folder / name

    def segment(self, image: Path, *more: object) -> Words:
        return ["segment", image, "--model", self.model, "--out", self.out, *more]

    def simulate(self, reference: Path) -> Words:
        return ["simulate", self.scan, "--reference", reference, "--empty", "--out", self.out]

    def refine(self, clicks: Path, *more: object) -> Words:
        return ["refine", self.scan, *(more or ["--empty"]), "--clicks", clicks, "--out", self.out]

    def good_clicks(self) -> Path:
        return write_clicks(self.file("clicks.json"), [(position_of(13, 11, 19), True)])

    def text(self, name: str, content: str) -> Path:
        path = self.file(name)
        path.write_text(content, encoding="utf-8")
        return path


def with_value(bench: Bench, value: float) -> Path:
    voxels = head()
    voxels[5, 6, 7] = value
    return save(bench.file("holes.nii.gz"), voxels)


def truncated(bench: Bench) -> Path:
    path = bench.file("cut.nii.gz")
    content = bench.scan.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def empty_folder(bench: Bench) -> Path:
    folder = bench.file("nothing")
    folder.mkdir()
    return folder


def two_series(bench: Bench) -> Path:
    write_series(bench.file("series"), Grid((6, 24, 24)))
    write_series(bench.file("other"), Grid((6, 24, 24)))
    for path in bench.file("other").iterdir():
        shutil.move(path, bench.file("series") / f"other-{path.name}")
    return bench.file("series")


def series_without(bench: Bench, lost: int) -> Path:
    folder = write_series(bench.file("series"), Grid((9, 24, 24)))
    sorted(folder.iterdir())[lost].unlink()
    return folder


def series_with_a_copy(bench: Bench) -> Path:
    import pydicom

    folder = write_series(bench.file("series"), Grid((9, 24, 24)))
    copy = pydicom.dcmread(sorted(folder.iterdir())[3])
    copy.SOPInstanceUID = pydicom.uid.generate_uid()
    copy.save_as(folder / "copy.dcm")
    return folder


def damaged_slice(bench: Bench) -> Path:
    folder = write_series(bench.file("series"), Grid((9, 24, 24)))
    path = sorted(folder.iterdir())[4]
    path.write_bytes(path.read_bytes()[:-400])
    return folder


def broken_model(bench: Bench) -> Path:
    folder = bench.file("broken")
    shutil.copytree(bench.model, folder)
    weights = next((folder / "models").iterdir())
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    return folder


def two_channels(bench: Bench) -> Path:
    tiny_package(bench.file("two"), channels=(Channel("FLAIR"), Channel("T1c", required=False)))
    return bench.file("two")


def tampered_journal(bench: Bench) -> Path:
    assert run_quietly(bench.refine(bench.good_clicks())) == 0
    journal = bench.file("journal.jsonl")
    for path in bench.out.glob("journal*"):
        shutil.copy(path, journal if path.name == "journal.jsonl" else bench.file(path.name))
    shutil.rmtree(bench.out)
    journal.write_text(journal.read_text().replace('"include":true', '"include":false'))
    return journal


def results_of_another_grid(bench: Bench) -> Path:
    other = save(bench.file("other.nii.gz"), head((20, 20, 20)))
    words = ["segment", other, "--model", bench.model, "--out", bench.file("other")]
    assert run_quietly(words) == 0
    return bench.file("other")


def run_quietly(words: Words) -> int:
    return run([str(word) for word in words])
