"""Fill in the page's template: one file with everything in it, which asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import vl_convert
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reports.page.figures import Page

HERE = Path(__file__).parent
STYLE = "page.css"
SCRIPTS = ("amounts.js", "tables.js", "charts.js", "page.js")
_LICENCE = "/* Vega, Vega-Lite, Vega-Embed: University of Washington and others; BSD 3-Clause */"
# JSON lies in a script element, which the first "</script" or "<!--" would change the end of.
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def html(page: Page) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [library(), _own_script()]
    return environment.get_template("template.html.j2").render(
        page=page,
        policy=_policy(scripts),
        style=Markup(_static(STYLE)),  # noqa: S704 - ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours and Vega's
        data=Markup(embedded(page.data)),  # noqa: S704 - escaped for where it is
    )


def embedded(data: Any) -> str:  # noqa: ANN401 - what JSON can hold
    """JSON that cannot end the script element that it lies in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


@cache
def library() -> str:
    """Vega and what it needs as one script that defines `vegaEmbed` and nothing else."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"{_LICENCE}(() => {{{bundle}}})();"


def _own_script() -> str:
    parts = "\n".join(_static(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();'


def _static(name: str) -> str:
    return (HERE / "static" / name).read_text("utf-8")


def _policy(scripts: Sequence[str]) -> str:
    """No network, no frames, no forms, and no script but these."""
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
