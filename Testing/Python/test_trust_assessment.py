"""Shift, triage and the assessment: a wrong contour must look doubtful."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from TumorSegRobustLib.errors import Cancelled
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust import (
    Evidence,
    Quality,
    Shift,
    assess,
    fingerprint_ranges,
    image_fingerprint,
    measure_shift,
    triage,
)
from TumorSegRobustLib.trust.assessment import touched_edges

NO_SHIFT = Shift(0.0, "none", ())
GOOD = Evidence(
    volume_ml=30.0,
    quality=Quality(0.93, (0.8, 1.0), True),
    agreement=0.93,
    doubt_bits=0.4,
    lesions=1,
    edges=(),
    shift=NO_SHIFT,
)


def a_scan(spacing_mm=(1.0, 1.0, 1.0), shape=(40, 40, 40), seed=0) -> Image:
    voxels = np.random.default_rng(seed).normal(100, 15, shape).astype(np.float32)
    return Image(voxels, Geometry(shape, spacing_mm))


def a_prediction(*balls: tuple[float, ...], geometry=None, inside=0.97, **fields) -> Prediction:
    """One member per tuple (k, j, i, radius) in voxels; the probability is their mean."""
    geometry = geometry or Geometry((40, 40, 40))
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    members = np.stack([
        np.where(np.linalg.norm(index - ball[:3], axis=-1) <= ball[3], inside, 0.01) for ball in balls
    ]).astype(np.float16)
    values = {
        "geometry": geometry,
        "probability": members.astype(np.float32).mean(axis=0),
        "members": members,
        "package": {"id": "tiny"},
        "device": "cpu",
        "backend": "torch",
        "seconds": {},
        "peak_memory_mb": 0.0,
        **fields,
    }
    return Prediction(**values)


class TestTriage:
    def test_nothing_against_it_is_accepted_with_the_reason(self):
        level, reasons = triage(GOOD)
        assert level == "accept"
        assert reasons == ("The models agree (Dice 0.93) and nothing else speaks against the contour.",)

    @pytest.mark.parametrize(
        ("change", "level", "words"),
        [
            ({"quality": Quality(0.7, (0, 1), False)}, "review", r"differ in part \(expected Dice 0.70\)"),
            ({"quality": Quality(0.3, (0, 1), False)}, "reject", "contradict each other"),
            ({"agreement": None}, "review", "Only one model"),
            ({"doubt_bits": 1.2}, "review", "vague"),
            ({"volume_ml": 0.2}, "review", "very small"),
            ({"volume_ml": 700.0}, "review", "very large"),
            ({"volume_ml": 0.0}, "reject", "No tumour was found"),
            ({"lesions": 9}, "review", "9 separate parts"),
            ({"edges": ("top",)}, "review", r"edge of the scan \(top\)"),
            ({"shift": Shift(0.9, "moderate", ())}, "review", "unlike those"),
            ({"shift": Shift(2.0, "strong", (), "CT", True)}, "reject", "looks like CT"),
            ({"shift": Shift(2.0, "strong", (), "", True)}, "reject", "does not look like CT"),
        ],
    )
    def test_each_doubt_lowers_the_level_and_says_why(self, change, level, words):
        found, reasons = triage(replace(GOOD, **change))
        assert found == level
        assert len(reasons) == 1
        assert re.search(words, reasons[0])

    def test_the_gravest_reason_comes_first_and_sets_the_level(self):
        level, reasons = triage(replace(GOOD, edges=("left",), quality=Quality(0.2, (0, 1), False)))
        assert level == "reject"
        assert "contradict" in reasons[0]
        assert "edge" in reasons[1]

    def test_thresholds_are_the_packages(self):
        assert triage(GOOD, {"accept_dice": 0.95})[0] == "review"
        assert triage(replace(GOOD, volume_ml=0.0), {"empty_level": "review"})[0] == "review"


class TestShift:
    def test_a_scan_inside_the_ranges_is_not_shifted(self):
        ranges = fingerprint_ranges([image_fingerprint(a_scan(seed=seed)) for seed in range(12)], (0, 100))
        shift = measure_shift(a_scan(seed=3), {"modality": "MR", "ranges": ranges})
        assert (shift.score, shift.level, shift.factors) == (0.0, "none", ())

    def test_thick_slices_are_named_with_their_range_and_scored_by_the_factor(self):
        fingerprint = {"modality": "MR", "slice_thickness_mm": [0.8, 6.0]}
        shift = measure_shift(a_scan((1.0, 1.0, 12.0), (8, 40, 40)), fingerprint)
        [factor] = shift.factors
        assert (factor.name, factor.value, factor.score) == ("slice_thickness_mm", 12.0, 1.0)
        assert factor.text == "slice thickness 12 mm (trained on 0.8 to 6 mm)"
        assert shift.level == "strong"
        assert json.loads(json.dumps(shift.to_json()))["factors"][0]["range"] == [0.8, 6.0]

    def test_levels_follow_the_score(self):
        def level(thickness: float) -> str:
            image = a_scan((1.0, 1.0, thickness), (8, 20, 20))
            return measure_shift(image, {"slice_thickness_mm": [1.0, 4.0]}).level

        assert [level(t) for t in (4.0, 4.4, 6.5, 9.0)] == ["none", "mild", "moderate", "strong"]

    def test_ct_numbers_are_recognised_and_foreign_to_an_mr_model(self):
        voxels = np.full((20, 40, 40), -1000, np.int16)
        voxels[:, 10:30, 10:30] = 40
        voxels[:, 10:12, 10:30] = 900
        ct = Image(voxels, Geometry(voxels.shape))
        shift = measure_shift(ct, {"modality": "MR"})
        assert (shift.modality, shift.foreign, shift.level) == ("CT", True, "strong")
        assert not measure_shift(ct, {"modality": "CT"}).foreign
        assert measure_shift(a_scan(), {"modality": "CT"}).foreign

    def test_without_a_fingerprint_nothing_is_claimed(self):
        assert measure_shift(a_scan(), {}).level == "unknown"

    def test_intensities_do_not_depend_on_the_unit(self):
        image = a_scan()
        scaled = image.with_voxels(image.voxels * 37 + 1000)
        one, other = image_fingerprint(image), image_fingerprint(scaled)
        for name, value in one.items():
            assert other[name] == pytest.approx(value, abs=1e-3)

    def test_a_flat_histogram_is_told_from_a_peaked_one(self):
        ranges = fingerprint_ranges([image_fingerprint(a_scan(seed=seed)) for seed in range(12)])
        flat = a_scan().with_voxels(np.random.default_rng(1).uniform(0, 1, (40, 40, 40)).astype(np.float32))
        shift = measure_shift(flat, {"ranges": ranges})
        assert {factor.name for factor in shift.factors} >= {"high_tail"}
        assert shift.level == "strong"


class TestAssess:
    def test_members_that_agree_are_accepted(self):
        prediction = a_prediction((20, 20, 20, 8), (20, 20, 20, 8), (20, 20, 20, 8.1))
        result = assess(prediction, a_scan())
        assert result.level == "accept"
        assert result.agreement > 0.97
        assert result.predicted_dice == pytest.approx(result.agreement, abs=1e-3)
        assert not result.calibrated
        assert result.volume_ml == pytest.approx(np.count_nonzero(prediction.mask) / 1000)
        [lesion] = result.lesions
        assert lesion.centre_lps_mm == (20.0, 20.0, 20.0)
        assert result.shift["level"] == "unknown"
        assert result.uncertainty is result.entropy

    def test_a_member_that_differs_makes_the_contour_doubtful(self):
        result = assess(a_prediction((20, 20, 20, 8), (20, 20, 24, 8), (20, 20, 20, 8)), a_scan())
        assert result.level == "review"
        assert any("differ" in reason for reason in result.reasons)

    def test_members_in_different_places_are_rejected(self):
        result = assess(a_prediction((10, 10, 10, 6), (30, 30, 30, 6)), a_scan())
        assert result.level == "reject"
        assert result.agreement == 0.0

    def test_an_empty_contour_has_no_quality(self):
        result = assess(a_prediction((20, 20, 20, -1), (20, 20, 20, -1)), a_scan())
        assert (result.level, result.predicted_dice, result.interval) == ("reject", 0.0, (0.0, 1.0))
        assert (result.volume_ml, result.lesions, result.doubt) == (0.0, (), 0.0)

    def test_one_member_is_never_accepted(self):
        result = assess(a_prediction((20, 20, 20, 8)), a_scan())
        assert result.agreement is None
        assert result.level == "review"

    def test_doubt_is_measured_around_the_contour_not_over_the_background(self):
        vague = a_prediction((20, 20, 20, 4), (20, 20, 20, 4), inside=0.6)
        # Every voxel of the contour has H(0.6) = 0.971 bit; the background's 0.08 bit each counts nowhere.
        assert assess(vague, a_scan()).doubt == pytest.approx(0.971, abs=1e-3)
        assert assess(vague, a_scan()).level == "review"

    def test_doubt_far_from_the_contour_is_not_charged_to_it(self):
        prediction = a_prediction((20, 20, 20, 4), (20, 20, 20, 4), inside=0.99)
        prediction.probability[0:3] = 0.4
        assert assess(prediction, a_scan()).doubt == pytest.approx(0.081, abs=2e-3)
        prediction.probability[20, 20, 25:27] = 0.4  # next to it: two voxels of 0.971 bit for 257 of contour
        assert assess(prediction, a_scan()).doubt == pytest.approx(0.081 + 2 * 0.971 / 257, abs=2e-3)

    def test_a_contour_at_the_edge_is_named_by_the_patients_side(self):
        mask = np.zeros((4, 4, 4), bool)
        mask[3, 1, 0] = True
        assert touched_edges(mask, Geometry((4, 4, 4))) == ("right", "top")
        turned = Geometry((4, 4, 4), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
        assert touched_edges(mask, turned) == ("left", "top")
        assert touched_edges(np.zeros((4, 4, 4), bool), turned) == ()

    def test_the_packages_thresholds_and_fingerprint_are_used(self):
        table = {"agreement": [0, 1], "dice": [0, 0.9], "low": [0, 0.6], "high": [0.2, 0.95]}
        prediction = a_prediction(
            (20, 20, 20, 8), (20, 20, 20, 8),
            triage={"max_volume_ml": 1.0},
            fingerprint={"slice_thickness_mm": [3.0, 6.0]},
            calibration={"quality": table},
        )
        result = assess(prediction, a_scan())
        assert (result.predicted_dice, result.interval, result.calibrated) == (0.9, (0.6, 0.95), True)
        assert result.level == "review"
        assert len(result.reasons) == 2

    def test_it_can_be_cancelled(self):
        progress = Progress(lambda *_: progress.cancel())
        with pytest.raises(Cancelled):
            assess(a_prediction((20, 20, 20, 8)), a_scan(), progress)

    def test_it_is_ready_for_json(self):
        prediction = a_prediction((20, 20, 20, 8), (20, 20, 20, 8))
        result = json.loads(json.dumps(assess(prediction, a_scan()).to_json()))
        assert set(result) == {"volume_ml", "lesions", "quality", "triage", "shift"}
        assert set(result["quality"]) >= {"predicted_dice", "interval", "calibrated"}
        assert result["lesions"][0]["centre_lps_mm"] == [20.0, 20.0, 20.0]
        assert set(result["shift"]) == {"score", "level", "factors", "concerns"}
