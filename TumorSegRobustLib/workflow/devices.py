"""The devices that a panel offers: Automatic, CPU, GPU."""

from __future__ import annotations

from dataclasses import dataclass

ABOUT_DEVICE = "Where the networks run. Automatic takes the GPU where they can use one, else the CPU."
_ALWAYS = {"auto": "Automatic", "cpu": "CPU"}


@dataclass(frozen=True)
class DeviceChoice:
    """value: for `Workflow.choose_device`. text: its name for a person. why_not: "" where it can be used."""

    value: str
    text: str
    why_not: str = ""


def device_choices(gpu: tuple[str, str], chosen: str) -> tuple[DeviceChoice, ...]:
    """What to choose from, empty where there is nothing to choose.

    gpu: see `inference.devices.find_gpu`. chosen: the device now, which is among the choices in any case.

    Without a GPU "Automatic" and "CPU" are the same: a list of them would cost a line of a narrow panel and a
    thought, and change nothing. A GPU that cannot be used is listed with the reason: who paid for one asks.
    """
    kind, why_not = gpu
    if chosen in _ALWAYS and not kind:
        return ()
    if chosen not in (*_ALWAYS, kind):  # "cuda:1", or one that is not there, from outside of the panel
        same = chosen.split(":")[0] == kind
        kind, why_not = chosen, why_not if same else f"There is no device {chosen} here."
    return (
        *(DeviceChoice(value, text) for value, text in _ALWAYS.items()),
        DeviceChoice(kind, "GPU", why_not),
    )


def about_device(choices: tuple[DeviceChoice, ...]) -> str:
    """What the list is about, and why some of it cannot be chosen."""
    return "\n".join([ABOUT_DEVICE, *(f"{one.text}: {one.why_not}" for one in choices if one.why_not)])
