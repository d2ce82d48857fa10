"""Step 3: how far to trust the proposal, and where it is uncertain."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.sections.parts import said, section


def trust() -> None:
    with section(3, "Trust", "trust", shown="panel.has_contour"):
        with html.Div(classes="figures"):
            _figure("Volume", "{{ panel.volume }}", "volume")
            with html.Div(
                v_if="panel.trust.dice",
                classes="figure",
                title="How well the contour is expected to agree with a clinician's (Dice, 0 to 1)",
            ):
                html.Div("Expected overlap", classes="hint")
                with html.Div(classes="figure-value"):
                    html.Span("{{ panel.trust.dice }}", id="dice")
                    html.Span(
                        "{{ panel.trust.interval }}", classes="figure-range", v_if="panel.trust.interval"
                    )
        with html.Div(v_if="panel.trust.level", classes="verdict"):
            html.Span(
                "{{ panel.trust.word }}", classes=("'triage triage-' + panel.trust.level",), id="triage"
            )
            html.Span("{{ panel.trust.advice }}", classes="advice")
        with html.Ul(v_if="panel.trust.reasons.length || panel.trust.factors.length", classes="reasons"):
            html.Li("{{ reason }}", v_for="reason in panel.trust.reasons", key="reason")
            html.Li("{{ factor }}", v_for="factor in panel.trust.factors", key="factor", classes="factor")
        _overlay()


def _figure(label: str, value: str, name: str) -> None:
    with html.Div(classes="figure"):
        html.Div(label, classes="hint")
        html.Div(value, classes="figure-value", id=name)


def _overlay() -> None:
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
        with html.Div(v_if="overlay_shown", classes="legend", title="From certain to uncertain"):
            html.Span("low")
            html.Div(classes="legend-bar")
            html.Span("high")
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
