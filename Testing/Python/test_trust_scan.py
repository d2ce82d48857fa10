"""A scan unlike the training data must look doubtful: in its reasons, its level and its expected quality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_trust_assessment import a_prediction, a_scan

from TumorSegRobustLib.image import Geometry, Image, Source
from TumorSegRobustLib.inference.seen import Seen
from TumorSegRobustLib.trust import assess
from TumorSegRobustLib.trust.concerns import about_copies, about_headers, about_values
from TumorSegRobustLib.trust.head import about_brain, about_looks
from TumorSegRobustLib.trust.looks import FEATURES, head_features, likely_sequences
from TumorSegRobustLib.trust.quality import Quality, on_strange_scan

SHAPE = (40, 40, 40)
FLAIR = Source("MR", "AX FLAIR", "p1", "1.1", "1.2")
BRAIN = {"ml": [500.0, 2000.0], "certain": 0.9}


def a_ball(radius: float) -> np.ndarray:
    k, j, i = np.indices(SHAPE) - 19.5
    return np.sqrt(k**2 + j**2 + i**2) <= radius


def a_seen(brain_radius: float = 17.0, certain: float = 0.98, **normalised: np.ndarray) -> Seen:
    """A ball of brain, radius in voxels of 2.5 mm: 17 are 320 ml."""
    brain = np.where(a_ball(brain_radius), certain, 0.01).astype(np.float16)
    scan = a_scan()
    channels = normalised or {"flair": np.zeros(SHAPE, np.float16)}
    scans = dict.fromkeys(channels, scan)
    return Seen(scans, channels, (2.5, 2.5, 2.5), np.zeros(SHAPE, np.float16), brain)


def with_source(**fields: str) -> Image:
    return replace(a_scan(), source=replace(FLAIR, **fields))


class TestValues:
    def test_a_contour_given_as_a_scan_is_rejected(self):
        mask = a_scan().with_voxels(a_ball(9).astype(np.uint8))
        [concern] = about_values("flair", mask)
        assert (concern.level, concern.text) == (
            "reject",
            "FLAIR holds only 2 grey values: it looks like a contour, not a scan.",
        )

    def test_a_label_map_of_many_labels_is_rejected(self):
        k, j, i = np.indices((80, 80, 80)) // 10
        labels = Image((500 + k * 64 + j * 8 + i).astype(np.int16), Geometry((80, 80, 80)))
        [concern] = about_values("t1c", labels)
        assert concern.text == "T1c has large areas of one value: it looks like a label map, not a scan."

    @pytest.mark.parametrize("levels", [64, 256])
    def test_a_scan_of_few_bits_is_not(self, levels):
        voxels = np.clip(np.random.default_rng(0).normal(0.5, 0.15, SHAPE), 0, 1) * (levels - 1)
        assert not list(about_values("flair", a_scan().with_voxels(voxels.astype(np.uint8))))


class TestCopies:
    def test_the_same_scan_twice_is_told(self):
        voxels = np.random.default_rng(0).normal(size=SHAPE).astype(np.float16)
        [concern] = about_copies({"flair": voxels, "t1c": (2 * voxels + 1).astype(np.float16)})
        assert (concern.level, concern.text) == ("review", "FLAIR and T1c are the same scan, given twice.")

    def test_two_scans_of_one_head_are_not_the_same(self):
        rng = np.random.default_rng(0)
        head = 3.0 * a_ball(15)
        two = {name: (head + 0.3 * rng.normal(size=SHAPE)).astype(np.float16) for name in ("flair", "t1c")}
        assert np.corrcoef(two["flair"].ravel(), two["t1c"].ravel())[0, 1] > 0.9
        assert not list(about_copies(two))


class TestHeaders:
    @pytest.mark.parametrize(
        ("fields", "level", "words"),
        [
            ({"modality": "CT"}, "reject", "FLAIR is CT by its DICOM header, but the model expects MR."),
            ({"modality": "PT"}, "reject", "FLAIR is PT by its DICOM header, but the model expects MR."),
            ({"description": "t1_mprage"}, "review", "The scan given as FLAIR is T1 by its DICOM header."),
            ({"description": "AX T2 TSE"}, "review", "The scan given as FLAIR is T2 by its DICOM header."),
        ],
    )
    def test_a_header_that_contradicts_is_told(self, fields, level, words):
        [concern] = about_headers({"flair": with_source(**fields)}, "MR")
        assert (concern.level, concern.text) == (level, words)

    @pytest.mark.parametrize(
        ("fields", "level", "words"),
        [
            ({"patient_id": "p2"}, "reject", "of two patients"),
            ({"study_uid": "9"}, "review", "of two examinations"),
            ({"frame_of_reference_uid": "9"}, "review", "do not share a frame of reference"),
        ],
    )
    def test_channels_that_do_not_belong_together_are_told_without_a_name(self, fields, level, words):
        t1c = with_source(description="T1 post", **fields)
        [concern] = about_headers({"flair": with_source(), "t1c": t1c}, "MR")
        assert concern.level == level
        assert words in concern.text
        assert not {"p1", "p2"} & set(concern.text.split())

    def test_headers_that_fit_or_say_nothing_are_silent(self):
        pair = {"flair": with_source(), "t1c": with_source(description="T1 post")}
        assert not list(about_headers(pair, "MR"))
        assert not list(about_headers({"flair": replace(a_scan(), source=Source())}, "MR"))
        assert not list(about_headers({"flair": a_scan()}, "MR"))


class TestBrain:
    def test_a_whole_brain_is_silent_and_a_package_without_one_too(self):
        assert not list(about_brain(a_seen(), BRAIN | {"ml": [200.0, 2000.0]}))
        assert not list(about_brain(replace(a_seen(), brain=None), BRAIN))
        assert not list(about_brain(a_seen(), {}))

    @pytest.mark.parametrize(
        ("radius", "certain", "level", "words"),
        [
            (4.0, 0.98, "reject", "Hardly any brain is seen (4 ml)"),
            (19.9, 0.98, "reject", "is no brain"),
            (14.0, 0.8, "review", "not sure to see a brain"),
        ],
    )
    def test_no_credible_brain_is_told(self, radius, certain, level, words):
        expected = {"ml": [100.0, 400.0], "certain": 0.9}
        [concern] = about_brain(a_seen(radius, certain), expected)
        assert concern.level == level
        assert words in concern.text


def a_table(**changes) -> dict:
    """FLAIR unless white matter, deep in the brain, is brighter than its surface."""
    weights = np.zeros((2, len(FEATURES)))
    weights[1, FEATURES.index("brighter_with_depth")] = 6.0
    table = {
        "features": list(FEATURES),
        "mean": [0.0] * len(FEATURES),
        "scale": [1.0] * len(FEATURES),
        "sequences": ["FLAIR", "T1"],
        "weights": weights.tolist(),
        "bias": [0.0, -2.0],
        "channels": {"flair": "FLAIR", "t1c": "T1"},
        "said_from": {"FLAIR": 0.75, "T1": 0.5},
    }
    return {**table, **changes}


def a_head_in(contrast: float) -> np.ndarray:
    """Brain `contrast` brighter in its depth than at its surface, in noise."""
    noise = 0.1 * np.random.default_rng(0).normal(size=SHAPE)
    return (1.0 * a_ball(17) + contrast * a_ball(12) + noise - 1).astype(np.float16)


class TestLooks:
    def test_features_tell_depth_from_surface_in_the_scans_own_units(self):
        seen = a_seen()
        features = head_features(a_head_in(0.5), seen.brain, seen.tumour, seen.spacing_mm)
        assert features["depth_22_mm"] - features["depth_0_mm"] == pytest.approx(0.5, abs=0.03)
        assert features["around"] - features["depth_0_mm"] == pytest.approx(-1.0, abs=0.03)
        assert set(features) == set(FEATURES)

    def test_a_proposed_tumour_does_not_change_them(self):
        seen = a_seen()
        head = a_head_in(0.5)
        tumour = np.zeros(SHAPE, np.float16)
        tumour[18:24, 18:24, 24:30] = 1.0
        bright = np.where(tumour > 0, 9.0, head).astype(np.float16)
        clean = head_features(head, seen.brain, tumour, seen.spacing_mm)
        assert head_features(bright, seen.brain, tumour, seen.spacing_mm) == pytest.approx(clean)

    def test_without_a_brain_nothing_is_said(self):
        seen = a_seen(3.0)
        assert head_features(a_head_in(0), seen.brain, seen.tumour, seen.spacing_mm) is None

    def test_probabilities_follow_the_table(self):
        nothing = dict.fromkeys(FEATURES, 0.0)
        likely = likely_sequences(nothing, a_table())
        assert likely == pytest.approx({"FLAIR": 1 / (1 + np.exp(-2)), "T1": 1 / (1 + np.exp(2))})

    def test_a_scan_that_looks_like_another_sequence_is_told(self):
        [concern] = about_looks(a_seen(flair=a_head_in(0.5)), a_table())
        assert (concern.level, concern.text) == (
            "review",
            "The scan looks like T1, but the model expects FLAIR.",
        )
        assert not list(about_looks(a_seen(flair=a_head_in(0.0)), a_table()))

    def test_swapped_channels_are_told_one_by_one(self):
        swapped = a_seen(flair=a_head_in(0.5), t1c=a_head_in(0.0))
        assert [concern.text for concern in about_looks(swapped, a_table())] == [
            "The scan given as FLAIR looks like T1, but the model expects FLAIR.",
            "The scan given as T1c looks like FLAIR, but the model expects T1.",
        ]


class TestTogether:
    AGREEING = ((20, 20, 20, 8), (20, 20, 20, 8), (20, 20, 20, 8.1))

    def assessed(self, seen: Seen, **fingerprint):
        prediction = a_prediction(*self.AGREEING, fingerprint={"modality": "MR", **fingerprint}, seen=seen)
        return assess(prediction, next(iter(seen.scans.values())))

    def test_a_fitting_scan_is_accepted_as_before(self):
        result = self.assessed(a_seen(flair=a_head_in(0.0)), looks=a_table())
        assert result.level == "accept"
        assert result.predicted_dice > 0.97

    def test_level_and_expected_quality_fall_together(self):
        result = self.assessed(a_seen(flair=a_head_in(0.5)), looks=a_table())
        assert (result.level, result.shift["level"]) == ("review", "strong")
        assert result.reasons == ("The scan looks like T1, but the model expects FLAIR.",)
        assert result.shift["concerns"] == list(result.reasons)
        assert result.predicted_dice == pytest.approx(0.4 * result.agreement, abs=0.01)
        assert (result.interval[0], result.interval[1], result.calibrated) == (0.0, 1.0, False)

    def test_without_a_brain_it_is_rejected_and_nothing_is_said_of_its_looks(self):
        brain = {"ml": [900, 2000], "certain": 0.9}
        result = self.assessed(a_seen(flair=a_head_in(0.5)), looks=a_table(), brain=brain)
        assert result.level == "reject"
        assert len(result.reasons) == 1
        assert result.predicted_dice < 0.2

    def test_ct_under_an_mr_model_has_no_good_quality_either(self):
        voxels = np.full(SHAPE, -1000, np.int16)
        voxels[:, 10:30, 10:30] = np.random.default_rng(0).integers(0, 80, (40, 20, 20))
        voxels[:, 10:12, 10:30] = 900
        ct = Image(voxels, Geometry(SHAPE))
        result = self.assessed(replace(a_seen(), scans={"flair": ct}))
        assert result.level == "reject"
        assert result.predicted_dice < 0.2

    def test_a_reason_never_tells_the_figure_that_the_agreement_alone_would_give(self):
        shown = {"fingerprint": {"looks": a_table()}, "seen": a_seen(flair=a_head_in(0.5))}
        result = assess(a_prediction((20, 20, 20, 8), (20, 20, 24, 8), **shown), a_scan())
        assert "The models differ in part." in result.reasons

    def test_nothing_strange_leaves_the_quality_alone(self):
        quality = Quality(0.9, (0.6, 0.95), True)
        assert on_strange_scan(quality, 1.0) is quality
        assert on_strange_scan(quality, 0.4) == Quality(0.36, (0.0, 0.95), False)
