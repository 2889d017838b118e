"""What people read is coloured and as wide as their terminal, and plain anywhere else."""

from __future__ import annotations

import io

import pytest

from scripts.local.screen import PLAIN_WIDTH, Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LONG = " ".join(["word"] * 60)


def test_a_file_gets_plain_text_of_a_fixed_width() -> None:
    stream = io.StringIO()
    screen = Screen(stream, {"TERM": "xterm"})
    with screen.step("1/2", "A step"):
        screen.say(LONG, "red")
    text = stream.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= PLAIN_WIDTH
    assert text.startswith("\n1/2  A step\n    word word")
    assert text.rstrip().endswith(" s)")


def test_a_terminal_gets_colours_and_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    stream = Terminal()
    screen = Screen(stream, {"TERM": "xterm"})
    screen.say(LONG)
    assert max(map(len, stream.getvalue().splitlines())) <= 50
    screen.say("no", "red")
    assert stream.getvalue().endswith("\x1b[31mno\x1b[0m\n")


@pytest.mark.parametrize("environment", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_colours_can_be_declined(environment: dict[str, str]) -> None:
    assert Screen(Terminal(), environment).paint("no", "red") == "no"


def test_an_empty_no_color_declines_nothing() -> None:
    screen = Screen(Terminal(), {"TERM": "xterm", "NO_COLOR": ""})
    assert screen.paint("no", "red") != "no"


def test_rows_are_aligned_left_and_right() -> None:
    stream = io.StringIO()
    Screen(stream).row(("ab", "1", "x"), (4, -3, 2))
    assert stream.getvalue() == "ab      1  x\n"


def test_what_a_terminal_cannot_show_is_replaced() -> None:
    shown = io.BytesIO()
    stream = io.TextIOWrapper(shown, encoding="ascii")
    Screen(stream).say("a river…")
    assert shown.getvalue() == b"    a river?\n"
