"""Progress is one changing line on a terminal, and few plain lines elsewhere."""

from __future__ import annotations

import io

from scripts.build.progress import PLAIN_SECONDS, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_lines_are_plain_and_seconds_apart() -> None:
    stream, time = io.StringIO(), [0.0]
    progress = Progress(stream, now=lambda: time[0])
    progress.tell("a", "1 of 3")
    progress.tell("b", "1 of 9")
    progress.tell("a", "2 of 3")
    time[0] = PLAIN_SECONDS
    progress.tell("b", "1 of 9")
    progress.tell("a", "3 of 3")
    progress.end("a", "ready")
    assert stream.getvalue().splitlines() == [
        "setup: a: 1 of 3",
        "setup: b: 1 of 9",
        "setup: a: 3 of 3",
        "setup: a: ready",
    ]


def test_on_a_terminal_steps_share_a_line_until_they_end() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.tell("a", "1 of 3")
    progress.tell("b", "1 of 9")
    progress.end("a", "ready")
    progress.end("b", "ready")
    shown = [line.rpartition("\x1b[2K")[2] for line in stream.getvalue().split("\n")]
    assert shown == ["setup: a: ready", "setup: b: ready", ""]
    assert "setup: a: 1 of 3   b: 1 of 9" in stream.getvalue()


def test_a_line_that_changes_is_no_wider_than_the_terminal() -> None:
    stream = Terminal()
    Progress(stream).tell("a", "x" * 500)
    assert len(stream.getvalue()) < 200
