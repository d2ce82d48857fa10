"""The workflow with the real rooms: the sample, small networks, judgement, review, RTSTRUCT."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures_inference import tiny_package
from fixtures_workflow import PATIENCE_S

from TumorSegRobustLib.image import read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import Channel, find_package
from TumorSegRobustLib.workflow import State, Workflow


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members that find nothing anywhere: what is contoured below comes from the clicks alone."""
    folder = tmp_path_factory.mktemp("package") / "tiny"
    answers = [(-6.0, 4.0), (-3.0, 4.0)]
    return tiny_package(folder, channels=(Channel("FLAIR"),), answers=answers).folder


@pytest.fixture
def workflow(tmp_path: Path, package: Path) -> Iterator[Workflow]:
    def in_torch(package: str | None, device: str) -> Ensemble:  # loads faster than OpenVINO
        return Ensemble(find_package(package), device, backend="torch")

    workflow = Workflow(work_folder=tmp_path / "work", ensemble_factory=in_torch)
    workflow.choose_package(str(package))
    workflow.choose_device("cpu")
    yield workflow
    workflow.close()


def done(workflow: Workflow) -> State:
    assert workflow.wait(PATIENCE_S)
    assert workflow.state.error == ""
    return workflow.state


def test_from_the_sample_series_to_an_accepted_rtstruct(workflow: Workflow, tmp_path: Path) -> None:
    workflow.open_sample()
    assert done(workflow).phase == "ready"
    assert workflow.series is not None
    assert workflow.wait_until_warm(PATIENCE_S)

    workflow.segment()
    state = done(workflow)
    assert (state.phase, state.volume_ml, state.package) == ("review", 0.0, "tiny")
    assert state.triage_level in ("review", "reject"), "finding nothing must be looked at"
    assert state.message.startswith("The networks found no tumour.")
    np.testing.assert_array_equal(workflow.mask, workflow.prediction.mask)
    np.testing.assert_array_equal(workflow.overlay("entropy")[0], workflow.assessment.entropy)

    geometry = workflow.image.geometry
    truth = read_mask(workflow.series.files[0].parent / "truth.nii.gz", geometry).voxels
    heart = tuple(int(v) for v in np.argwhere(truth)[np.count_nonzero(truth) // 2])
    doubt = workflow.overlay("entropy")[0][heart]
    workflow.click(geometry.position_of(heart), True)
    state = done(workflow)
    assert workflow.mask[heart]
    assert state.volume_ml > 0
    assert workflow.overlay("entropy")[0][heart] < doubt

    workflow.accept("Dr Ada")
    assert done(workflow).phase == "accepted"
    workflow.export_rtstruct(tmp_path / "gtv.dcm", "GTVp")
    done(workflow)
    written = pydicom.dcmread(tmp_path / "gtv.dcm")
    assert written.Modality == "RTSTRUCT"
    assert written.StructureSetROISequence[0].ROIName == "GTVp"
    assert "accepted by Dr Ada" in written.StructureSetDescription

    workflow.save(tmp_path / "out")
    done(workflow)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["model"]["id"] == "tiny"
    assert result["lesions"]
    assert result["volume_ml"] == pytest.approx(state.volume_ml)
    assert result["quality"]["predicted_dice"] is not None
    assert result["seconds"]["total"] > 0
    assert result["peak_memory_mb"] > 0
    saved = read_mask(tmp_path / "out" / "segmentation.nii.gz", geometry)
    np.testing.assert_array_equal(saved.voxels, workflow.mask)


def test_a_package_with_other_channels_says_what_is_missing(tmp_path: Path, workflow: Workflow) -> None:
    both = tiny_package(tmp_path / "both", id="both", channels=(Channel("FLAIR"), Channel("T1c")))
    workflow.choose_package(str(both.folder))
    workflow.open_sample()
    done(workflow)
    workflow.segment()
    assert workflow.wait(PATIENCE_S)
    assert "T1c" in workflow.state.error
    assert workflow.state.phase == "ready"
