"""The functions' table of routes is made of the OpenAPI document."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scripts.build import routes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DOCUMENT = {
    "paths": {
        "/v1/things": {
            "get": {"tags": ["Own"], "security": [{"bearer": []}]},
            "post": {"tags": ["Own"], "security": [{"x_api_key": []}, {"bearer": []}]},
        },
    },
    "components": {
        "securitySchemes": {"bearer": {"name": "Authorization"}, "x_api_key": {"name": "x-api-key"}}
    },
}


def test_a_row_says_where_a_route_takes_its_key() -> None:
    rows = next(
        ast.literal_eval(node.value)
        for node in ast.parse(routes.render(DOCUMENT)).body
        if isinstance(node, ast.AnnAssign) and node.value is not None
    )

    assert rows == (
        ("GET", "/v1/things", "Own", ("Authorization",)),
        ("POST", "/v1/things", "Own", ("x-api-key", "Authorization")),
    )


def test_the_command_writes_what_is_checked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = routes.TABLE.read_text("utf-8")
    written = tmp_path / "table.py"
    monkeypatch.setattr(routes, "TABLE", written)
    monkeypatch.setattr(routes, "REPOSITORY", tmp_path)

    assert routes.main() == 0
    assert written.read_text("utf-8") == committed
    assert "wrote table.py" in capsys.readouterr().out
