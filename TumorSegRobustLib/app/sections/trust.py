"""Step 3: how far to trust the contour, where it is uncertain, and where to look next."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, said, section, selector
from TumorSegRobustLib.workflow import OVERLAY_KINDS, Workflow


def trust(actions: Actions, workflow: Workflow) -> None:
    with section(3, "Trust", "trust", shown="panel.has_contour"):
        with html.Div(classes="figures"):
            _figure("Volume", "{{ panel.volume }}", "volume")
            with html.Div(
                v_if="panel.trust.dice",
                classes="figure",
                title=("panel.trust.about",),
            ):
                with html.Div(classes="hint"):
                    html.Span("Expected overlap{{ panel.trust.live ? ',' : '' }}")
                    html.Span(
                        "{{ panel.trust.live }}",
                        v_if="panel.trust.live",
                        id="live",
                        title=("panel.trust.about_live",),
                    )
                with html.Div(classes="figure-value"):
                    html.Span("{{ panel.trust.dice }}", id="dice")
                    html.Span(
                        "{{ panel.trust.interval }}", classes="figure-range", v_if="panel.trust.interval"
                    )
                    html.Span(
                        "{{ panel.trust.guess }}",
                        v_if="panel.trust.guess",
                        classes="figure-range",
                        id="guess",
                    )
        with html.Div(v_if="panel.trust.level", classes="verdict"):
            html.Span(
                "{{ panel.trust.word }}", classes=("'triage triage-' + panel.trust.level",), id="triage"
            )
            html.Span("{{ panel.trust.advice }}", classes="advice")
        with html.Ul(v_if="panel.trust.reasons.length || panel.trust.factors.length", classes="reasons"):
            html.Li("{{ reason }}", v_for="reason in panel.trust.reasons", key="reason")
            html.Li("{{ factor }}", v_for="factor in panel.trust.factors", key="factor", classes="factor")
        _overlay(actions, workflow)
        _places(workflow)


def _places(workflow: Workflow) -> None:
    """The list opens when its first place is on show: until then its room belongs to the steps below."""
    with (
        html.Div(v_if="panel.places.some((place) => place.shown)", classes="places", id="places"),
        html.Button(
            v_for="place in panel.places",
            key="place.number",
            type="button",
            classes=("['place', { 'place-shown': place.shown }]",),
            title="Look at this place",
            click=(workflow.next_place, "[place.number]"),
        ),
    ):
        html.Span("{{ place.number }}. {{ place.text }}")


def _figure(label: str, value: str, name: str) -> None:
    with html.Div(classes="figure"):
        html.Div(label, classes="hint")
        html.Div(value, classes="figure-value", id=name)


def _overlay(actions: Actions, workflow: Workflow) -> None:
    with html.Div(classes="row overlay-line"):
        v.VSwitch(
            v_model=("overlay_shown",),
            label="Show uncertainty",
            id="overlay",
            density="compact",
            inset=True,
            hide_details=True,
            color="primary",
            **said(title="Key U"),
        )
        with selector(
            "overlay-kind",
            "panel.overlay.shown",
            (actions.choose_overlay, "[$event.target.value]"),
            classes="small-select",
            disabled=("!overlay_shown || !panel.overlay.usable",),
            title=("panel.overlay.about",),
            **said(aria_label="What the colours show"),
        ):
            for kind in OVERLAY_KINDS:
                html.Option(kind.text, value=kind.value, title=kind.about)
    with html.Div(classes="row next-line"):
        html.Div(
            v_if="overlay_shown", classes="legend-bar", title="From certain (left) to uncertain (right)"
        )
        button(
            "Next place",
            "next-place",
            workflow.next_place,
            can="panel.can.next_place",
            why="panel.why.next_place",
            variant="text",
            **said(title="Where the contour is most in doubt (key N)"),
        )
    with html.Div(v_if="overlay_shown", classes="sliders"):
        html.Label("Opacity")
        v.VSlider(
            v_model=("overlay_opacity",),
            min=0,
            max=100,
            step=5,
            density="compact",
            hide_details=True,
            id="overlay-opacity",
            thumb_size=14,
            track_size=3,
        )
        html.Span("{{ overlay_opacity }} %", classes="slider-value")
        html.Label(
            "Window", title="Percentiles of the uncertain region that are drawn; below them nothing is"
        )
        v.VRangeSlider(
            v_model=("overlay_percentile",),
            min=0,
            max=100,
            step=1,
            density="compact",
            hide_details=True,
            id="overlay-window",
            thumb_size=14,
            track_size=3,
            strict=True,
        )
        html.Span("{{ overlay_percentile[0] }}–{{ overlay_percentile[1] }}", classes="slider-value")
