"""Gates in stand-ins: a call waits at one until the test that made it opens it.

A test that needs a model to take long says so with a gate and not with a time: what must happen in
between has happened when it opens the gate, however slow the machine is.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_SECONDS = 0.05


class Gate:
    """A closed gate; calls stand before it until it is opened, for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many calls stand before it."""
        with self._lock:
            return self._waiting

    def open(self) -> None:
        """Let all calls through, those to come as well."""
        self._opened.set()

    def wait(self, stopping: threading.Event) -> None:
        """Stand before the gate until it is open or the stand-in stops."""
        with self._lock:
            self._waiting += 1
        try:
            while not self._opened.wait(_LOOK_SECONDS) and not stopping.is_set():
                pass
        finally:
            with self._lock:
                self._waiting -= 1


class Gates:
    """The gates of a stand-in by name."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    @contextmanager
    def closed(self, name: str) -> Iterator[Gate]:
        """A gate that is closed from now on, and open for good when the block ends."""
        gate = self._gates[name] = Gate()
        try:
            yield gate
        finally:
            gate.open()

    def find(self, name: str) -> Gate:
        """The gate of that name. Raises KeyError."""
        return self._gates[name]
