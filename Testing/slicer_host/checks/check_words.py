"""Both panels say the same about the same state: the page's words are compared with what the widgets show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from panel import MISSED, OUTSIDE, Panel, ball
from TumorSegRobustDesktop.correct_view import hint_of
from TumorSegRobustDesktop.trust_view import verdict_of

from TumorSegRobustLib.app import words


def page(panel: Panel) -> dict[str, Any]:
    """What the browser panel would show of this workflow."""
    return words.describe(panel.workflow)


@pytest.mark.parametrize("level", ["accept", "review", "reject", ""])
def test_verdicts_are_the_same(level: str) -> None:
    assert verdict_of(level)[:2] == words._TRIAGE[level]


@pytest.mark.parametrize("tool", ["none", "include", "exclude"])
def test_hints_are_the_same(tool: str) -> None:
    assert hint_of(tool) == words._HINT[tool]


def test_figures_reasons_and_clicks_are_the_same(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    panel.place("include", OUTSIDE)
    shown, told = panel.ui, page(panel)
    trust = told["trust"]
    assert shown.volumeLabel.text == f"Volume {told['volume']}"
    assert trust["guess"] == "not calibrated"
    assert shown.qualityLabel.text.startswith(
        f"Expected overlap {trust['dice']} ({trust['interval']}, {trust['guess']})"
    )
    assert shown.qualityLabel.toolTip == f"{trust['about']}\n{trust['about_live']}"
    assert shown.qualityLabel.text.endswith(trust["live"])
    assert (shown.triageLabel.text, shown.adviceLabel.text) == (trust["word"], trust["advice"])
    lines = shown.reasonsLabel.text.replace("• ", "").splitlines()
    assert lines == [*trust["reasons"], *trust["factors"]]
    listed = [shown.clickList.item(row).text() for row in range(shown.clickList.count)]
    signs = {True: "+", False: "−"}
    assert listed == [f"{signs[c['include']]} {c['place']}" for c in reversed(told["clicks"])]
    assert shown.clickCountLabel.text == told["click_count"]


def test_places_errors_and_what_will_happen_are_the_same(panel: Panel, tmp_path: Any) -> None:
    import qt

    from TumorSegRobustLib.image import write_image

    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("nextPlaceButton")
    write_image(panel.workflow.image.with_voxels(ball().astype(np.uint8)), tmp_path / "truth.nii.gz")
    qt.QFileDialog.answers.append(str(tmp_path / "truth.nii.gz"))
    panel.press("referenceButton")
    shown, told = panel.ui, page(panel)
    assert entries(shown.placeSelector) == [f"{one['number']}. {one['text']}" for one in told["places"]]
    compared = told["compare"]
    assert entries(shown.errorSelector) == [f"{one['number']}. {one['text']}" for one in compared["errors"]]
    for row in compared["rows"]:
        assert f"{row['name']}: {row['value']}" in shown.compareLabel.text
    assert shown.willHappenLabel.text == told["will_happen"]
    panel.choose("modelSelector", "two")
    assert entries(shown.targetSelector) == [one["text"] for one in page(panel)["targets"]]


def entries(combo: Any) -> list[str]:
    return [combo.itemText(row) for row in range(combo.count)]


@pytest.mark.parametrize("gpu", [("cuda", ""), ("cuda", "PyTorch is not installed."), ("", "")])
def test_devices_are_the_same(panel: Panel, gpu: tuple[str, str]) -> None:
    panel.networks.gpu = gpu
    panel.open_phantom()
    shown, told = panel.ui.deviceSelector, page(panel)
    assert entries(shown) == [one["text"] for one in told["devices"]]
    assert [shown.model().item(row).isEnabled() for row in range(shown.count)] == [
        not one["why_not"] for one in told["devices"]
    ]
    assert (shown.currentData or "auto") == told["device"]
    assert shown.toolTip == told["about_device"]


def test_kinds_of_uncertainty_are_the_same(panel: Panel) -> None:
    from TumorSegRobustLib.workflow import OVERLAY_KINDS

    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    for kind in OVERLAY_KINDS:
        panel.choose("overlayKindSelector", kind.value)
        told = words.describe(panel.workflow, kind.value)["overlay"]
        assert panel.ui.overlayKindSelector.currentText == kind.text
        assert panel.ui.overlayKindSelector.toolTip == told["about"] == kind.about
        assert panel.ui.overlayKindSelector.enabled == told["usable"]
    assert entries(panel.ui.overlayKindSelector) == [kind.text for kind in OVERLAY_KINDS]
