"""What a person reads: numbered steps, lines, tables; colour and width only on a terminal."""

from __future__ import annotations

import io
import os
import shutil
import textwrap
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLAIN_WIDTH = 100
INDENT = "    "
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32"}


class Screen:
    """Writes to a stream.

    Args:
        stream: where to.
        environment: its NO_COLOR (https://no-color.org) and TERM=dumb turn colours off.
    """

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            # Answers of models may have characters that a terminal does not.
            stream.reconfigure(errors="replace")
        is_terminal = stream.isatty()
        self._is_coloured = (
            is_terminal
            and not environment.get("NO_COLOR")
            and environment.get("TERM", "dumb") != "dumb"
        )
        self.width = PLAIN_WIDTH
        if is_terminal:
            self.width = min(PLAIN_WIDTH, shutil.get_terminal_size().columns)

    def paint(self, text: str, style: str) -> str:
        """A text in a style (bold, dim, red, green) where there are colours."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._is_coloured else text

    def say(self, text: str = "", style: str | None = None, indent: str = INDENT) -> None:
        """One text, over as many lines as it needs."""
        room = max(self.width - len(indent), 20)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        for line in lines:
            shown = self.paint(line, style) if style else line
            print(f"{indent}{shown}".rstrip(), file=self._stream, flush=True)

    def row(self, cells: Sequence[str], widths: Sequence[int], style: str | None = None) -> None:
        """One line of a table; a negative width aligns its cell to the right."""
        aligned = [
            cell.rjust(-width) if width < 0 else cell.ljust(width)
            for cell, width in zip(cells, widths, strict=True)
        ]
        line = "  ".join(aligned).rstrip()
        print(self.paint(line, style) if style else line, file=self._stream, flush=True)

    @contextmanager
    def step(self, number: str, title: str) -> Iterator[None]:
        """A step with its title above and the seconds it took below."""
        self.say()
        self.say(f"{number}  {title}", "bold", indent="")
        started = time.monotonic()
        yield
        self.say(f"({time.monotonic() - started:.1f} s)", "dim")
