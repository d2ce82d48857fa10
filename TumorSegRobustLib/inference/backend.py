"""The seam between an ensemble and whatever computes its networks."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Backend(Protocol):
    """One member's network, ready to run on one device."""

    name: str
    """"torch" or "openvino"."""

    bytes_per_voxel: float
    """Peak memory of a pass per voxel of its input (measured, see `memory`)."""

    def run(self, volume: np.ndarray) -> np.ndarray:
        """Logits (n, outputs, k, j, i) float32 of a float32 input (n, channels, k, j, i).

        Sides are multiples of 16, at least 32. Raises MemoryError (or a RuntimeError that says so) when the
        input is too large. Called by one thread at a time.
        """
        ...

    def interrupt(self) -> None:
        """Make a `run` in another thread stop soon with any error; the next `run` works again."""
        ...

    def release(self) -> None:
        """Give back memory that is kept between runs."""
        ...


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this error says that memory ran out; the libraries agree on no class, so the text is read."""
    if isinstance(error, MemoryError):
        return True
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, RuntimeError) and any(
        sign in text
        for sign in ("out of memory", "outofmemory", "not enough memory", "can't allocate memory",
                     "cannot allocate memory", "could not allocate", "bad_alloc", "bad allocation")
    )
