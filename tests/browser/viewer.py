"""Open the pages that we write in a headless Chromium, and keep pictures of what it shows.

A page that we write asks nobody for anything and has nothing to complain about: whatever the
browser says on its console, throws or requests beyond the file itself is a failure.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from axe_playwright_python.sync_playwright import Axe

from scripts.local.ministack import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PICTURES = ROOT / ".local" / "pictures"
Colours = Literal["light", "dark"]
WIDTHS = {"wide": 1280, "narrow": 390}
_HEIGHT = 900
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Viewer:
    """A browser that shows files; every page has a context of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextmanager
    def open(
        self,
        file: Path,
        colours: Colours = "light",
        width: int = WIDTHS["wide"],
        *,
        scripts: bool = True,
    ) -> Iterator[Page]:
        """Show a file; fails at the end if the page complained or asked for anything else.

        `scripts=False` is a reader whose browser runs none.
        """
        troubles: list[str] = []
        context = self._browser.new_context(
            color_scheme=colours,
            java_script_enabled=scripts,
            locale="en-US",
            offline=True,
            reduced_motion="reduce",
            timezone_id="UTC",
            viewport={"width": width, "height": _HEIGHT},
        )
        try:
            page = context.new_page()
            page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
            page.on("pageerror", lambda error: troubles.append(f"thrown: {error}"))
            page.on(
                "request",
                lambda asked: (
                    None
                    if asked.url.startswith((file.as_uri(), "data:", "blob:"))
                    else troubles.append(f"requested: {asked.url}")
                ),
            )
            page.goto(file.as_uri())
            yield page
        finally:
            context.close()
        assert troubles == [], f"{file.name} complains: {troubles}"

    def photograph(self, file: Path, name: str) -> list[Path]:
        """Keep pictures of the whole page, light and dark, wide and narrow, and its PDF.

        Returns their paths, in a folder of the given name that git ignores.
        """
        folder = PICTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kept = []
        for colours in get_args(Colours):
            for size, width in WIDTHS.items():
                with self.open(file, colours, width) as page:
                    kept.append(folder / f"{colours}-{size}.png")
                    page.screenshot(path=kept[-1], full_page=True)
        with self.open(file) as page:
            kept.append(folder / "paper.pdf")
            page.pdf(path=kept[-1], format="A4", print_background=True)
        return kept


def accessibility_problems(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and good practice: the rule, and the first place."""
    found = Axe().run(page, options=_RULES).response["violations"]
    return [
        f"{problem['id']}: {problem['help']}; {len(problem['nodes'])} times, first "
        f"{problem['nodes'][0]['target']}: {problem['nodes'][0].get('failureSummary', '')}"
        for problem in found
    ]


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window: it should not scroll sideways."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))
