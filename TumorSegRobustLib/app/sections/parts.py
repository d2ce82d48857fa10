"""Small pieces that every section is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v


@contextmanager
def section(
    number: int,
    title: str,
    name: str,
    *,
    shown: str = "true",
    done: str = "false",
    inline: str = "false",
    usable: str = "",
    opener: str = "",
    opens: str = "",
) -> Iterator[None]:
    """A numbered step; `shown`, `done`, `inline` (title and body in one line), `usable` (by default: when it
    is shown): expressions of the page. opener: id of a button in the title that turns the flag `opens`.
    """
    usable = usable or shown
    looks = {"done": done, "closed": f"!({shown})", "waits": f"!({usable})", "inline": inline}
    chosen = ", ".join(f"'step-{look}': {when}" for look, when in looks.items())
    with html.Section(classes=(f"['step', {{ {chosen} }}]",), id=f"step-{name}"):
        with html.Div(classes="step-head"):
            with html.H2(classes="step-title"):
                html.Span(f"{{{{ {done} ? '✓' : {number} }}}}", classes="step-number")
                html.Span(title)
            if opener:
                label = f"Open or close {title}"
                icon = (f"{shown} ? 'mdi-chevron-up' : 'mdi-chevron-down'",)
                icon_button(icon, label, opener, f"{opens} = !{opens}", can=usable)
        with html.Div(v_if=shown, classes="step-body"):
            yield


def button(
    text: str,
    name: str,
    click: Callable[..., Any] | tuple | str,
    *,
    can: str = "true",
    why: str = "''",
    icon: str | None = None,
    **looks: Any,
) -> None:
    """A button with an id; where it may not be pressed, its tooltip says why."""
    looks = {"variant": "tonal", "color": "primary", "size": "small", "density": "comfortable"} | looks
    with (
        html.Span(title=(f"({can}) ? '' : {why}",), classes=looks.pop("wrap", "btn-wrap")),
        v.VBtn(click=click, disabled=(f"!({can})",), id=name, **looks),
    ):
        if icon:
            v.VIcon(icon, start=bool(text), size="18")
        if text:
            html.Span(text)


def icon_button(
    icon: str | tuple[str],
    label: str,
    name: str | tuple[str],
    click: Callable[..., Any] | tuple | str,
    *,
    can: str = "true",
    why: str = "''",
    **looks: Any,
) -> None:
    """A square button without text; its label is read aloud and shown as tooltip."""
    looks = {"variant": "text", "size": "small", "density": "comfortable"} | looks
    with html.Span(title=(f"({can}) ? '{label}' : {why}",), classes="btn-wrap-icon"):
        v.VBtn(icon=icon, click=click, disabled=(f"!({can})",), id=name, **said(aria_label=label), **looks)


def selector(name: str, chosen: str, change: tuple, **options: Any) -> html.Select:
    """A list to choose from, its options inside; `chosen`: an expression of the page, the value on show."""
    # trame's Select knows no "value": without this the first option would be shown, whatever is chosen
    shown = {"__properties": [("value", "value"), *options.pop("__properties", [])], "value": (chosen,)}
    return html.Select(id=name, change=change, **options, **shown)


def said(**attributes: Any) -> dict[str, Any]:
    """Attributes for screen readers and tooltips (aria_label, title ...), unknown to trame's widgets."""
    return {"__properties": [(name, name.replace("_", "-")) for name in attributes], **attributes}


def field(model: str, label: str, name: str, enter: Any = None, **options: Any) -> v.VTextField:
    """A one-line text field; `enter` is what the Enter key does."""
    if enter is not None:
        options |= {"__events": [("enter", "keydown.enter")], "enter": enter}
    return v.VTextField(
        v_model=(model,),
        label=label,
        id=name,
        density="compact",
        variant="outlined",
        hide_details=True,
        autocomplete="off",
        spellcheck="false",
        **options,
    )
