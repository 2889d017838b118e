"""Tell people how far several long steps are that run at the same time.

On a terminal the news of all steps share one line, which changes in place. Elsewhere they are plain
lines, a few seconds apart for each step, so that a log stays short.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN_SECONDS = 2.0
_CLEAR_LINE = "\r\x1b[2K"


class Progress:
    """Writes the news of steps, by the step's name; may be used from several threads."""

    def __init__(
        self,
        stream: TextIO,
        prefix: str = "setup: ",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._prefix = prefix
        self._now = now
        self._lock = threading.Lock()
        self._news: dict[str, str] = {}
        self._due: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._line(text)

    def tell(self, step: str, news: str) -> None:
        """Tell how far a step is; what has not changed is not told again."""
        with self._lock:
            if self._news.get(step) == news:
                return
            self._news[step] = news
            if self._stream.isatty():
                self._show()
            elif self._now() >= self._due.get(step, 0.0):
                self._due[step] = self._now() + PLAIN_SECONDS
                self._line(f"{step}: {news}")

    def end(self, step: str, news: str) -> None:
        """Write how a step ended, in a line that stays."""
        with self._lock:
            self._news.pop(step, None)
            self._line(f"{step}: {news}")

    def _line(self, text: str) -> None:
        if self._stream.isatty():
            self._stream.write(_CLEAR_LINE)
        self._stream.write(f"{self._prefix}{text}\n")
        if self._stream.isatty():
            self._show()
        self._stream.flush()

    def _show(self) -> None:
        text = "   ".join(f"{step}: {news}" for step, news in self._news.items())
        width = shutil.get_terminal_size().columns - len(self._prefix) - 1
        if text:
            self._stream.write(f"{_CLEAR_LINE}{self._prefix}{text[:width]}")
        self._stream.flush()
