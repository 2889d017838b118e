"""The API's contract with its callers: the OpenAPI document of modules/gateway."""

from __future__ import annotations

from typing import Any

import yaml

from scripts.local.ministack import ROOT

_FILE = ROOT / "modules" / "gateway" / "openapi.yaml"


def read() -> Any:  # noqa: ANN401 - YAML
    """Return the document, ten times as fast as `yaml.safe_load` where libyaml is there."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(_FILE.read_text("utf-8"), Loader=loader)  # noqa: S506 - both are safe
