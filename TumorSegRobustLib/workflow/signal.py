"""A signal that needs no toolkit: `qt.Signal` fails under PythonQt, and the browser panel has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Listener = Callable[..., Any]


class Signal:
    """Calls its listeners in the order in which they were connected, in the thread that emits.

    >>> heard = []
    >>> hello = Signal()
    >>> forget = hello.connect(heard.append)
    >>> hello.emit("a"); forget(); hello.emit("b"); heard
    ['a']
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def connect(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` at every `emit` from now on; returns the function that ends this."""
        # A wrapper per connection, so that one listener connected twice can be disconnected once.
        entry: Listener = lambda *args: listener(*args)  # noqa: E731
        self._listeners.append(entry)

        def disconnect() -> None:
            if entry in self._listeners:
                self._listeners.remove(entry)

        return disconnect

    def emit(self, *args: Any) -> None:
        """Call every listener; one that disconnects itself or another meanwhile disturbs nobody."""
        for listener in tuple(self._listeners):
            if listener in self._listeners:
                listener(*args)
