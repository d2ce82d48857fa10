"""Who chooses a model whose licence restricts its use agrees to it first; the command line is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures_workflow import Desk, a_desk

from TumorSegRobustLib.cli.driving import choose
from TumorSegRobustLib.cli.options import Device
from TumorSegRobustLib.models.licences import restriction_of
from TumorSegRobustLib.workflow.agreements import Agreements

RESEARCH, TERMS = "brain-mr-research", "CC BY-NC-SA 4.0"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """As behind a panel, with the packages that are shipped."""
    desk = a_desk(tmp_path, background=True)
    yield desk
    desk.workflow.close()


def test_the_licence_is_shown_and_the_package_before_stays_until_it_is_agreed_to(desk: Desk) -> None:
    desk.workflow.choose_package("brain-mr")
    desk.workflow.choose_package(RESEARCH)
    question = desk.workflow.state.question
    assert question is not None
    assert question.yes == "I agree"
    assert question.text == (
        f"The model {RESEARCH} has the licence {TERMS}. {restriction_of(TERMS)} Do you agree?"
    )
    assert desk.workflow.state.package == "brain-mr"
    desk.workflow.answer(True)
    assert desk.workflow.state.package == RESEARCH
    assert desk.workflow.state.question is None


def test_who_refuses_keeps_the_package_before_and_is_asked_again(desk: Desk) -> None:
    desk.workflow.choose_package("brain-mr")
    for _ in range(2):
        desk.workflow.choose_package(RESEARCH)
        assert desk.workflow.state.question is not None
        desk.workflow.answer(False)
        assert desk.workflow.state.package == "brain-mr"


def test_an_agreement_is_remembered_for_the_next_time(desk: Desk, tmp_path: Path) -> None:
    desk.workflow.choose_package(RESEARCH)
    desk.workflow.answer(True)
    again = a_desk(tmp_path, background=True)
    again.workflow.choose_package(RESEARCH)
    assert again.workflow.state.package == RESEARCH
    again.workflow.close()


def test_another_licence_of_the_same_package_is_asked_about_anew(tmp_path: Path) -> None:
    agreements = Agreements(tmp_path)
    before, after = (SimpleNamespace(id="one", licence=name) for name in ("CC BY-NC 4.0", "CC BY-ND 4.0"))
    agreements.agree(before)  # type: ignore[arg-type]
    assert Agreements(tmp_path).question(before) is None  # type: ignore[arg-type]
    assert Agreements(tmp_path).question(after) is not None  # type: ignore[arg-type]


def test_where_nothing_can_be_written_an_agreement_holds_for_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    agreements = Agreements(tmp_path / "file")
    package = SimpleNamespace(id="one", licence="CC BY-NC 4.0")
    agreements.agree(package)  # type: ignore[arg-type]
    assert agreements.question(package) is None  # type: ignore[arg-type]


def test_the_command_line_is_told_on_stderr_and_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = a_desk(tmp_path)
    choose(desk.workflow, RESEARCH, Device.auto)
    assert desk.workflow.state.package == RESEARCH
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"note: the model {RESEARCH} has the licence {TERMS}. {restriction_of(TERMS)}\n"
    choose(desk.workflow, None, Device.auto)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("licence", "says"),
    [
        ("Apache-2.0", ""),
        ("CC BY 4.0", ""),
        ("CC-BY-SA-4.0", ""),
        ("cc by-nc 4.0", "It permits non-commercial use only, with its authors named."),
        (TERMS, "It permits non-commercial use only, with its authors named, what is made of it shared under "
                "the same licence."),
        ("CC BY-ND 4.0", "It permits use, with its authors named, and no altered version passed on."),
        ("Hospital X", "This program does not know that licence: its text lies in the folder of the model."),
    ],
)  # fmt: skip
def test_what_a_licence_permits_is_said_in_a_sentence(licence: str, says: str) -> None:
    assert restriction_of(licence) == says
