"""The journal's lines about steps: what was clicked, painted, deleted, and what of the masks it changed.

`click`, `painted`, `click_removed`, `click_moved`, `segment_added`, `segment_renamed`, `segment_locked`,
`segment_removed`. A line without `segment` is about the first one, as in journals from before there were
others; `others` are the voxels that it took from the neighbours, or gave back to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.chain import Record
from TumorSegRobustLib.review.click import Box, Click, Seed
from TumorSegRobustLib.review.difference import Difference
from TumorSegRobustLib.review.history import History
from TumorSegRobustLib.review.segment import FIRST, Part, Segment, Step, neighbour_part
from TumorSegRobustLib.review.words import Word, painted

OF_VOXELS = frozenset({"click", "painted", "click_removed", "click_moved"})
OF_SEGMENTS = frozenset({"segment_added", "segment_renamed", "segment_locked", "segment_removed"})
STEPS = OF_VOXELS | OF_SEGMENTS
"""Events that undo takes back."""


def step_event(step: Step) -> tuple[str, dict[str, Any]]:
    """The event's name and its plain JSON."""
    main = step.main
    segment = main.after or main.before
    assert segment is not None
    if step.kind in OF_SEGMENTS:
        told: dict[str, dict[str, Any]] = {
            "segment_added": {"name": segment.name, "colour": list(segment.colour)},
            "segment_renamed": {"name": segment.name},
            "segment_locked": {"locked": segment.locked},
        }
        return step.kind, {"id": main.id, **told.get(step.kind, {})}
    data: dict[str, Any] = {} if main.id == FIRST else {"segment": main.id}
    if step.kind == "click":
        word = segment.words[-1]
        data |= _place(word) | _reach(word)
    if step.click is not None:
        data["number"] = step.click
        if step.kind == "click_moved":
            data |= _place(segment.words[-1])
        data["clicks"] = [{"number": w.number, **_reach(w)} for w in segment.words if w.seed is not None]
    data["change"] = main.difference.to_json()
    if len(step.parts) > 1:
        data["others"] = {str(part.id): part.difference.to_json() for part in step.parts[1:]}
    return step.kind, data


def read_step(record: Record, board: Board) -> Step:
    """The step that a line of `STEPS` tells of; `board` as it was before."""
    data = record.data
    if record.event == "segment_added":
        red, green, blue = data["colour"]
        segment = Segment(data["id"], data["name"], (red, green, blue))
        return Step(record.number, record.event, (Part(segment.id, None, segment),))
    id_ = data["id"] if record.event in OF_SEGMENTS else data.get("segment", FIRST)
    before = board.segments[id_]
    if record.event in OF_SEGMENTS:
        changed = {
            "segment_renamed": lambda: replace(before, name=data["name"]),
            "segment_locked": lambda: replace(before, locked=data["locked"]),
            "segment_removed": lambda: None,
        }[record.event]()
        return Step(record.number, record.event, (Part(id_, before, changed),))
    mask = board.masks[id_]
    difference = Difference.from_json(data["change"], mask.shape)
    click = None
    if record.event == "click":
        after = replace(before, words=(*before.words, _clicked(record.number, data)))
    elif record.event == "painted":
        after = replace(before, words=(*before.words, painted(record.number, difference, mask)))
    else:
        click = int(data["number"])
        after = replace(before, words=_words_left(before, click, data, record.event == "click_moved"))
    parts = [Part(id_, before, after, difference)]
    for other, change in data.get("others", {}).items():
        flips = Difference.from_json(change, mask.shape)
        said = record.number if click is None else click
        parts.append(neighbour_part(board.segments[int(other)], board.masks[int(other)], flips, said))
    return Step(record.number, record.event, tuple(parts), click)


def replay_steps(records: Iterable[Record], board: Board) -> History:
    """Walk all events after the first over `board`; the history that they lead to."""
    history = History()
    for record in records:
        try:
            if record.event in STEPS:
                step = read_step(record, board)
                history.add(step)
                board.do(step)
            elif record.event == "undo":
                board.undo(history.undo())
            elif record.event == "redo":
                board.do(history.redo())
        except (KeyError, IndexError, TypeError, ValueError) as reason:
            raise UnusableInput(
                f"Event {record.number + 1} of the journal ({record.event}) cannot be replayed: {reason}; "
                "check it with 'journal verify'."
            ) from reason
    return history


def _place(word: Word) -> dict[str, Any]:
    assert word.click is not None
    assert word.seed is not None
    return {
        "position_lps_mm": list(word.click.position_mm),
        "include": word.click.include,
        "voxel_kji": list(word.seed.voxel),
    }


def _reach(word: Word) -> dict[str, Any]:
    assert word.region is not None
    return {"region": [[s.start, s.stop] for s in word.region], "frees_painted": word.frees}


def _clicked(number: int, data: dict[str, Any]) -> Word:
    x, y, z = data["position_lps_mm"]
    k, j, i = data["voxel_kji"]
    include = data["include"]
    return Word(number, Click((x, y, z), include), Seed((k, j, i), include), *_reach_of(data))


def _reach_of(data: dict[str, Any]) -> tuple[Box, bool]:
    k, j, i = (slice(*span) for span in data["region"])
    return (k, j, i), data["frees_painted"]


def _words_left(before: Segment, click: int, data: dict[str, Any], moved: bool) -> tuple[Word, ...]:
    """The words of a segment after one of its clicks was removed or moved, with the regions told anew."""
    reach = {told["number"]: _reach_of(told) for told in data["clicks"]}
    words = []
    for word in before.words:
        if word.seed is None:
            words.append(word)
        elif word.number != click:
            region, frees = reach[word.number]
            words.append(replace(word, region=region, frees=frees))
    if moved:
        region, frees = reach[click]
        told = {"region": [[s.start, s.stop] for s in region], "frees_painted": frees}
        words.append(_clicked(click, {**data, **told}))
    return tuple(words)
