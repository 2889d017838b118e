"""Write the routes of the OpenAPI document as a module that the functions read.

``python -m scripts.build.routes`` writes it; a contract test fails when it is stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.build.tables.operations import key_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACT = REPOSITORY / "modules" / "gateway" / "openapi.yaml"
TABLE = REPOSITORY / "functions" / "shared" / "tollgate" / "entry" / "route_table.py"
_HEAD = '''"""Method, path, API and key headers of each route. Written by `scripts.build.routes`."""

from __future__ import annotations

ROWS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
'''


def render(document: Mapping[str, Any]) -> str:
    """The module's text for an OpenAPI document, in the document's order."""
    schemes = document["components"]["securitySchemes"]
    lines = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names = key_headers(operation, schemes)
            headers = "".join(f'"{name}", ' for name in names)
            lines += [
                "    (",
                f'        "{method.upper()}",',
                f'        "{path}",',
                f'        "{operation["tags"][0]}",',
                f"        ({headers.strip() if len(names) == 1 else headers.rstrip(', ')}),",
                "    ),",
            ]
    return _HEAD + "\n".join(lines) + "\n)\n"


def main() -> int:
    """Entry point; returns 0."""
    document = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    TABLE.write_text(render(document), encoding="utf-8")
    print(f"wrote {TABLE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
