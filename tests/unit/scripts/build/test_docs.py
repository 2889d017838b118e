"""The generated part of the modules' READMEs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.build import docs

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = """variable "artifact" {
  description = "The zip, a <path> and a `<hash>`, with \\"quotes\\" and a | bar."
  type = object({
    path   = string
    sha256 = optional(string, "x")
  })
  nullable = false

  validation {
    condition     = true
    error_message = "never"
  }
}

variable "days" {
  description = "Days."
  type        = number
  default     = 30
  nullable    = false
}

variable "tiers" {
  description = "Tiers."
  type        = map(string)
  default = {
    free = "a"
    pro  = "b"
  }
}
"""
OUTPUTS = """output "arn" {
  description = "The ARN."
  value       = aws_thing.this.arn

  depends_on = [aws_thing.other]
}
"""
RENDERED = """### Inputs

| name | description | type | default |
| --- | --- | --- | --- |
| `artifact` | The zip, a &lt;path&gt; and a `<hash>`, with "quotes" and a \\| bar. | \
`object({ path = string, sha256 = optional(string, "x") })` | required |
| `days` | Days. | `number` | `30` |
| `tiers` | Tiers. | `map(string)` | `{ free = "a", pro = "b" }` |

### Outputs

| name | description |
| --- | --- |
| `arn` | The ARN. |"""
README = f"# Thing\n\n{docs.BEGIN}\nold\n{docs.END}\n\nAfter.\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "modules" / "thing"
    directory.mkdir(parents=True)
    (directory / "variables.tf").write_text(VARIABLES, encoding="utf-8")
    (directory / "outputs.tf").write_text(OUTPUTS, encoding="utf-8")
    (directory / "README.md").write_text(README, encoding="utf-8")
    monkeypatch.setattr(docs, "REPOSITORY", tmp_path)
    monkeypatch.setattr(docs, "module_directories", lambda: [directory])
    return directory


def test_inputs_and_outputs_are_tables(module: Path) -> None:
    assert docs.render(module) == RENDERED


def test_only_the_part_between_the_markers_is_written(module: Path) -> None:
    assert docs.main([]) == 0
    text = (module / "README.md").read_text(encoding="utf-8")
    assert text == f"# Thing\n\n{docs.BEGIN}\n{RENDERED}\n{docs.END}\n\nAfter.\n"


def test_check_fails_on_a_stale_readme_and_changes_nothing(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert docs.main(["--check"]) == 1
    assert "README.md: stale; run `make docs`" in capsys.readouterr().err
    assert (module / "README.md").read_text(encoding="utf-8") == README
    docs.main([])
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("readme", ["", docs.BEGIN, f"{docs.END}{docs.BEGIN}", README * 2])
def test_the_markers_must_be_there_once(
    module: Path, capsys: pytest.CaptureFixture[str], readme: str
) -> None:
    (module / "README.md").write_text(readme, encoding="utf-8")
    assert docs.main([]) == 1
    assert docs.BEGIN in capsys.readouterr().err


def test_a_description_is_required(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (module / "outputs.tf").write_text('output "arn" {\n  value = 1\n}\n', encoding="utf-8")
    assert docs.main([]) == 1
    assert 'outputs.tf: "arn" needs a description' in capsys.readouterr().err


def test_the_repositorys_modules_are_found() -> None:
    names = [directory.name for directory in docs.module_directories()]
    assert names[0] == "terraform"
    assert {"function", "gateway", "metering", "tenant"} <= set(names)


def test_the_repositorys_readmes_are_up_to_date() -> None:
    assert docs.main(["--check"]) == 0


OPENAPI = """components:
  securitySchemes: { bearer: { name: Authorization } }
paths:
  /things/{id}:
    get:
      summary: A thing | by <id>
      security: [{ bearer: [] }]
      parameters:
        - { name: id, in: path, required: true }
        - { name: wait, in: query }
      responses: { "200": {}, "404": {} }
    post:
      summary: Makes it
      security: [{ bearer: [] }]
      x-tollgate-response-transfer-mode: STREAM
      responses: { "202": {} }
"""
OPERATIONS = """### Operations

| operation | what it does | parameters | key in | answer | statuses |
| --- | --- | --- | --- | --- | --- |
| `GET /things/{id}` | A thing \\| by &lt;id&gt; | path `id` (required), query `wait` | \
`Authorization` | buffered | 200, 404 |
| `POST /things/{id}` | Makes it | none | `Authorization` | streamed | 202 |

### Inputs
"""


def test_operations_come_before_the_inputs(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(OPENAPI, encoding="utf-8")

    assert docs.render(tmp_path).startswith(OPERATIONS)
