"""Clicks from files: our own list and Slicer's markups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review import Click, read_clicks, read_segment_clicks


def a_file(folder: Path, content: Any) -> Path:
    path = folder / "clicks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def markups(*points: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "@schema": "https://example.org/markups-schema-v1.0.3.json#",
        "markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": list(points), **fields}],
    }


def point(*position: float, status: str = "defined") -> dict[str, Any]:
    return {"id": "1", "label": "F-1", "position": list(position), "positionStatus": status}


def test_our_own_list_is_read_in_order(tmp_path):
    path = a_file(
        tmp_path,
        [
            {"position_lps_mm": [1, -2.5, 3], "include": True},
            {"position_lps_mm": [0, 0, 0], "include": False},
        ],
    )

    assert read_clicks(path) == (Click((1.0, -2.5, 3.0), True), Click((0.0, 0.0, 0.0), False))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (1.0, 2.0, 3.0)),
        ({"coordinateSystem": "RAS"}, (-1.0, -2.0, 3.0)),
        ({"coordinateSystem": 0}, (-1.0, -2.0, 3.0)),
        ({"coordinateSystem": 1}, (1.0, 2.0, 3.0)),
        ({"coordinateSystem": "0"}, (-1.0, -2.0, 3.0)),
        ({"coordinateUnits": "mm"}, (1.0, 2.0, 3.0)),
        ({"coordinateUnits": ["cm", "cm", "cm"]}, (10.0, 20.0, 30.0)),
    ],
)
def test_slicer_markups_are_read_in_their_own_frame(tmp_path, fields, expected):
    path = a_file(tmp_path, markups(point(1, 2, 3), **fields))

    assert read_clicks(path, include=False) == (Click(expected, False),)


def test_undefined_points_are_left_out_with_a_notice(tmp_path):
    path = a_file(tmp_path, markups(point(1, 2, 3), point(0, 0, 0, status="undefined")))
    notices: list[str] = []

    assert len(read_clicks(path, notices=notices)) == 1
    assert notices == ["1 undefined points in clicks.json were left out."]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ({"clicks": []}, "neither a list of clicks nor a Slicer markups file"),
        ("3", "neither a list of clicks"),
        ([[1, 2, 3]], "Click 1 .* must look like"),
        ([{"position_lps_mm": [1, 2, 3]}], 'needs "include"'),
        ([{"position_lps_mm": [1, 2, 3], "include": 1}], 'needs "include"'),
        ([{"position_lps_mm": [1, 2], "include": True}], "no position of three numbers"),
        ([{"position_lps_mm": [1, 2, "x"], "include": True}], "no position of three numbers"),
        ('[{"position_lps_mm": [1, 2, NaN], "include": true}]', "not finite"),
        (markups(point(1, 2, 3), coordinateSystem="IJK"), "coordinate system 'IJK'"),
        (markups(point(1, 2, 3), coordinateUnits="inch"), "gives positions in 'inch'"),
        (markups({"label": "F-1"}), "no position of three numbers"),
        ({"markups": [3]}, "no list of control points"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path, content, reason):
    with pytest.raises(UnusableInput, match=reason) as refusal:
        read_clicks(a_file(tmp_path, content))
    assert "\n" not in str(refusal.value)


def test_an_absent_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(UnusableInput, match="Cannot read the clicks"):
        read_clicks(tmp_path / "absent.json")


def test_a_click_may_name_its_segment(tmp_path):
    path = tmp_path / "clicks.json"
    place = {"position_lps_mm": [1.0, 2.0, 3.0], "include": True}
    path.write_text(json.dumps([place, {**place, "segment": " GTVn "}]))
    assert [name for name, _ in read_segment_clicks(path)] == ["", "GTVn"]
    assert read_clicks(path) == (Click((1.0, 2.0, 3.0), True),) * 2
    path.write_text(json.dumps([{**place, "segment": 2}]))
    with pytest.raises(UnusableInput, match=r'Click 1 in .*"segment" must be a name, such as "GTVn"'):
        read_segment_clicks(path)
