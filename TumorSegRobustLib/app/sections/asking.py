"""The question that waits for an answer, over everything else."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.sections.parts import button
from TumorSegRobustLib.workflow import Workflow


def question_dialog(workflow: Workflow) -> None:
    """Closing it any other way than by its yes is a no."""
    with (
        v.VDialog(
            model_value=("!!panel.question",),
            update_modelValue=(workflow.answer, "[false]"),
            max_width=460,
        ),
        v.VCard(classes="picker", id="question"),
    ):
        html.Div("{{ (panel.question || {}).text }}", classes="question-text", id="question-text")
        with html.Div(classes="row question-row"):
            button("Cancel", "question-no", (workflow.answer, "[false]"), variant="text", size="default")
            button(
                "{{ (panel.question || {}).yes }}",
                "question-yes",
                (workflow.answer, "[true]"),
                variant="flat",
                size="default",
            )
