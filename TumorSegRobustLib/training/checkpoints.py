"""Files of a training: complete or not there, and never of another configuration."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from TumorSegRobustLib.errors import UnusableInput


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """`write` into a draft that then takes the place of `path`."""
    draft = path.with_name(path.name + ".part")
    write(draft)
    os.replace(draft, path)


def read_checkpoint(path: Path, identity: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The tensors and counts of a checkpoint.

    UnusableInput when it is damaged or of a training whose `identity` (settings that make the result)
    differs; settings that only one of the two knows are left out, so that new ones do not end old runs.
    """
    state = _read(path, device)
    if not {"network", "average", "optimiser", "step"} <= set(state):
        raise UnusableInput(f"{path}: is no checkpoint of a training; choose another folder for --out.")
    different = differences(json.loads(state.get("config", "{}")), json.loads(json.dumps(identity)))
    if different:
        raise UnusableInput(
            f"{path}: belongs to another configuration ({', '.join(different)}); "
            "go on with that one or choose another folder for --out."
        )
    return state


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of the settings that both know and that differ, nested ones with dots."""
    names = []
    for key in sorted(set(old) & set(new)):
        if isinstance(old[key], Mapping) and isinstance(new[key], Mapping):
            names += differences(old[key], new[key], f"{prefix}{key}.")
        elif old[key] != new[key]:
            names.append(prefix + key)
    return names


def read_weights(path: Path) -> dict[str, Any]:
    """Tensors by name, of weights.pt, checkpoint.pt (its average) or a package's .safetensors."""
    state = _read(path, torch.device("cpu"))
    return dict(state.get("average", state))


def load_initial(network: nn.Module, path: Path) -> tuple[int, int]:
    """Copy every tensor of pretrained weights that has a namesake of the same shape; (how many, of how many).

    `path`: weights.pt, checkpoint.pt (its average) or a package's .safetensors. UnusableInput when none fits.
    """
    state = read_weights(path)
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and isinstance(value, torch.Tensor) and own[name].shape == value.shape
    }
    if not fitting:
        raise UnusableInput(f"{path}: no tensor fits this network; give weights of the same architecture.")
    network.load_state_dict({**own, **fitting})
    return len(fitting), len(own)


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location=device, weights_only=True)
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be read ({error.strerror}); name a file of weights.") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UnusableInput(f"{path}: holds no weights, or it is damaged; take another file.") from error
    if not isinstance(state, dict):
        raise UnusableInput(f"{path}: holds no weights; name a file that a training wrote.")
    return state
