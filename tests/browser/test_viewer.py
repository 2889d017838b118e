"""The browser that pages are tested in notices what it is there to notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.viewer import accessibility_problems, sideways

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.viewer import Viewer

GOOD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>
<meta name="viewport" content="width=device-width"><main><h1>Cost</h1>%s</main></html>"""


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<p>fine</p>", None),
        ("<script>console.error('odd')</script>", "error: odd"),
        ("<script>console.warn('odd')</script>", "warning: odd"),
        ("<script>throw new Error('odd')</script>", "thrown: odd"),
        ("<img alt='' src='http://127.0.0.1:9/x.png'>", "requested: http://127.0.0.1:9/x.png"),
    ],
)
def test_a_page_that_complains_or_asks_for_anything_fails(
    viewer: Viewer, tmp_path: Path, body: str, complaint: str | None
) -> None:
    file = tmp_path / "page.html"
    file.write_text(GOOD % body, "utf-8")
    if complaint is None:
        with viewer.open(file) as page:
            assert page.inner_text("h1") == "Cost"
            assert accessibility_problems(page) == []
            assert sideways(page) == 0
        return
    with pytest.raises(AssertionError, match=complaint), viewer.open(file):
        pass


def test_what_cannot_be_read_is_a_problem_and_what_is_too_wide_scrolls(
    viewer: Viewer, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    pale = "<p style='color:#eee;background:#fff;width:2000px'>pale</p>"
    file.write_text(GOOD % pale, "utf-8")
    with viewer.open(file) as page:
        [problem] = accessibility_problems(page)
        assert problem.startswith("color-contrast")
        assert sideways(page) > 0
