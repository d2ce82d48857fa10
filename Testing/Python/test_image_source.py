"""What a DICOM header says a scan is."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from TumorSegRobustLib.image import DicomSeries, Geometry, Image, orient, read_series
from TumorSegRobustLib.image.source import Source, source_of
from TumorSegRobustLib.workflow.steps import open_image


@pytest.mark.parametrize(
    ("description", "sequence"),
    [
        ("AX FLAIR", "FLAIR"),
        ("t2_tirm_tra_dark-fluid", "FLAIR"),
        ("T2-FLAIR 3D", "FLAIR"),
        ("AX T1 FLAIR POST", "T1"),
        ("t1_mprage_sag_p2", "T1"),
        ("Sag 3D BRAVO", "T1"),
        ("AX T2 TSE", "T2"),
        ("ep2d_DWI_b1000 ADC", "diffusion"),
        ("Localizer", ""),
        ("PT1 axial", ""),
    ],
)
def test_words_name_the_sequence(description, sequence):
    assert Source("MR", description).sequence == sequence


@pytest.mark.parametrize(
    ("times", "sequence"),
    [
        ((120.0, 9000.0, 2500.0), "FLAIR"),
        ((95.0, 4000.0, None), "T2"),
        ((10.0, 500.0, None), "T1"),
        ((3.0, 2300.0, 900.0), ""),
        ((None, None, None), ""),
    ],
)
def test_times_speak_where_words_do_not(times, sequence):
    echo, repetition, inversion = times
    source = Source("MR", "ax", echo_ms=echo, repetition_ms=repetition, inversion_ms=inversion)
    assert source.sequence == sequence
    assert Source("CT", "ax", echo_ms=echo, repetition_ms=repetition, inversion_ms=inversion).sequence == ""


def test_words_count_before_times():
    assert Source("MR", "T1 se", echo_ms=100.0, repetition_ms=4000.0).sequence == "T1"


def test_a_header_is_read_as_far_as_it_tells():
    header = Dataset()
    header.Modality, header.PatientID, header.EchoTime = "MR", " x ", "90"
    header.InversionTime = ""
    assert source_of(header) == Source("MR", "", "x", echo_ms=90.0)


def test_a_series_keeps_its_source_with_the_image(repository):
    image, series = read_series(repository / "Resources" / "SampleCase")
    assert image.source == series.source
    assert (series.source.modality, series.source.sequence) == ("MR", "FLAIR")
    assert orient(image, "RAS").source == series.source


def test_a_volume_of_a_scene_takes_over_the_source_of_its_series():
    series = DicomSeries("1.2.3", (), Geometry((2, 2, 2)), source=Source("MR", "T1"))
    volume = Image(np.zeros((2, 2, 2)), Geometry((2, 2, 2)))
    assert open_image(volume, series, "", None).image.source == series.source
    assert open_image(volume, None, "", None).image.source is None
