"""The channels of the scan in step 1: what the scan itself is, and which volumes stand beside it."""

from __future__ import annotations

from trame.widgets import html

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import icon_button, said, selector


def first_channel(actions: Actions) -> None:
    """What the scan itself shows."""
    with selector(
        "first-channel",
        "panel.first_channel",
        (actions.scan.name_first, "[$event.target.value]"),
        v_if="panel.inputs.length > 1",
        disabled=("!panel.can.open",),
        **said(
            title=("panel.why.open || 'What this scan shows: the networks must know'",),
            aria_label="What this scan shows",
        ),
    ):
        html.Option("{{ one.label }}", v_for="one in panel.inputs", key="one.name", value=("one.name",))


def further_channels(actions: Actions) -> None:
    """One line for each other channel that the package takes."""
    with html.Div(v_if="panel.inputs.length > 1", classes="channels", id="channels"), html.Div(
        v_for="one in panel.inputs.filter((one) => !one.first)",
        key="one.name",
        classes="channel",
        title=("one.tip",),
        id=("`channel-${one.name}`",),
    ):
        html.Span("{{ one.label }}", classes="channel-name")
        html.Span("{{ one.volume || 'none' }}", classes="grow one-line channel-volume")
        icon_button(
            "mdi-folder-open-outline",
            "Choose a volume for this channel",
            ("`channel-browse-${one.name}`",),
            (actions.scan.browse_channel, "[one.name]"),
            can="panel.can.add_channel && panel.can.open",
            why="panel.why.add_channel || panel.why.open",
            size="x-small",
        )
        with html.Span(v_if="one.volume"):
            icon_button(
                "mdi-close",
                "Remove this channel",
                ("`channel-remove-${one.name}`",),
                (actions.scan.drop_channel, "[one.name]"),
                can="panel.can.drop_channel",
                why="panel.why.drop_channel",
                size="x-small",
            )
