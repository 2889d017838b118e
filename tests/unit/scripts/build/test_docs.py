"""The generated parts of the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.build import docs
from scripts.build.tables import errors, operations, tenants, terraform
from scripts.build.tables.markdown import DocsError
from tollgate.domain.errors import ADVICE

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
BEGIN, END = "<!-- BEGIN_TF_DOCS -->", "<!-- END_TF_DOCS -->"
README = f"# Thing\n\n{BEGIN}\nold\n{END}\n\nAfter.\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "modules" / "thing"
    directory.mkdir(parents=True)
    (directory / "variables.tf").write_text(VARIABLES, encoding="utf-8")
    (directory / "outputs.tf").write_text(OUTPUTS, encoding="utf-8")
    (directory / "README.md").write_text(README, encoding="utf-8")
    part = docs.Part(directory / "README.md", "TF_DOCS", lambda: terraform.render(directory))
    monkeypatch.setattr(docs, "REPOSITORY", tmp_path)
    monkeypatch.setattr(docs, "parts", lambda: [part])
    return directory


def test_inputs_and_outputs_are_tables(module: Path) -> None:
    assert terraform.render(module) == RENDERED


def test_only_the_part_between_the_markers_is_written(module: Path) -> None:
    assert docs.main([]) == 0
    text = (module / "README.md").read_text(encoding="utf-8")
    assert text == f"# Thing\n\n{BEGIN}\n{RENDERED}\n{END}\n\nAfter.\n"


def test_check_fails_on_a_stale_document_and_changes_nothing(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert docs.main(["--check"]) == 1
    assert "README.md: TF_DOCS is stale; run `make docs`" in capsys.readouterr().err
    assert (module / "README.md").read_text(encoding="utf-8") == README
    docs.main([])
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("readme", ["", BEGIN, f"{END}{BEGIN}", README * 2])
def test_the_markers_must_be_there_once(
    module: Path, capsys: pytest.CaptureFixture[str], readme: str
) -> None:
    (module / "README.md").write_text(readme, encoding="utf-8")
    assert docs.main([]) == 1
    assert BEGIN in capsys.readouterr().err


def test_a_description_is_required(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (module / "outputs.tf").write_text('output "arn" {\n  value = 1\n}\n', encoding="utf-8")
    assert docs.main([]) == 1
    assert 'outputs.tf: "arn" needs a description' in capsys.readouterr().err


def test_the_repositorys_documents_are_found() -> None:
    names = [(part.document.parent.name, part.name) for part in docs.parts()]
    assert names[0] == ("terraform", "TF_DOCS")
    assert {
        ("function", "TF_DOCS"),
        ("tenant", "TF_DOCS"),
        ("gateway", "OPERATIONS"),
        ("gateway", "ERRORS"),
        ("envs", "TENANT_KEYS"),
    } <= set(names)


def test_the_repositorys_documents_are_up_to_date() -> None:
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
        - { name: X-Team, in: header, required: true }
        - { name: cursor, in: query }
      responses: { "200": {}, "404": {} }
    post:
      summary: Makes it
      security: [{ bearer: [] }]
      x-tollgate-response-transfer-mode: STREAM
      responses: { "202": {} }
"""
OPERATIONS = """| operation | key in | what it does | answer | parameters |
| --- | --- | --- | --- | --- |
| `GET /things/{id}` | `Authorization` | A thing \\| by &lt;id&gt; | buffered | \
query `wait`, `cursor`; header `X-Team` (required) |
| `POST /things/{id}` | `Authorization` | Makes it | streamed | none |"""


def test_operations_say_where_the_key_goes(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    document.write_text(OPENAPI, encoding="utf-8")

    assert operations.render(document) == OPERATIONS


RAISES = """
def refuse(kind, limit):
    if kind:
        raise NotFoundError("no", code="thing_not_found")
    if limit:
        raise errors.UnavailableError("later", retry_after=1)
    return Kind(UpstreamFailedError, "thing_failed", "broken"), {
        "error": {"code": "thing_expired", "message": "gone", "http_status": 410}
    }
"""
RESPONSES = "BAD: { status: 415, code: bad_thing, type: x }\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "responses.yaml").write_text(RESPONSES, encoding="utf-8")
    (tmp_path / "raises.py").write_text(RAISES, encoding="utf-8")
    return tmp_path


def test_codes_are_read_wherever_they_are_raised_or_kept(source: Path) -> None:
    assert errors.codes(source, source / "responses.yaml") == {
        (404, "thing_not_found"),
        (503, "unavailable"),
        (502, "thing_failed"),
        (410, "thing_expired"),
        (415, "bad_thing"),
    }


def test_a_code_that_cannot_be_read_is_refused(source: Path) -> None:
    (source / "raises.py").write_text("GoneError('no', code=f'{kind}_gone')\n", encoding="utf-8")

    with pytest.raises(DocsError, match=r"raises.py:1: the code f'\{kind\}_gone' is computed"):
        errors.codes(source, source / "responses.yaml")


@pytest.mark.parametrize("code", ["budget_exceeded", "tenant_offboarded", "unknown_route"])
def test_every_code_has_advice(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    others = {name: advice for name, advice in ADVICE.items() if name != code}
    monkeypatch.setattr("tollgate.domain.errors.ADVICE", others)

    with pytest.raises(DocsError, match=f"has nothing on {code}"):
        errors.render()


def test_no_advice_is_on_a_code_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollgate.domain.errors.ADVICE", {**ADVICE, "timeout": "wait"})

    with pytest.raises(DocsError, match="is on timeout, which nothing answers with"):
        errors.render()


def test_codes_that_ask_for_the_same_share_a_row() -> None:
    rows = [line.split(" | ") for line in errors.render().splitlines()[2:]]

    assert len({(status, advice) for status, _, advice in rows}) == len(rows)
    assert "| 402" in {row[0] for row in rows}


SCHEMA = """{
  "rules": {
    "text": {"allowed": "a text"},
    "app_id": {"allowed": "a name"},
    "partner": {"allowed": "a name"},
    "object": {"allowed": "an object"},
    "usd": {"allowed": "dollars"}
  },
  "shapes": {
    "tenant": {
      "name": {"rule": "text", "required": true},
      "budget": {"rule": "object", "shape": "budget"},
      "shares": {"rule": "object", "shape": "shares"},
      "apps": {"rule": "object", "required": true, "shape": "apps"}
    },
    "tier": {"budget": {"rule": "object", "shape": "budget"}},
    "budget": {"month_usd": {"rule": "usd"}, "day_usd": {"rule": "usd"}},
    "shares": {"*": {"name_rule": "partner", "rule": "object", "shape": "share"}},
    "share": {"of": {"rule": "text", "required": true}},
    "apps": {"*": {"name_rule": "app_id", "rule": "object", "required": true, "shape": "app"}},
    "app": {"status": {"rule": "text"}}
  }
}"""
TEMPLATE = """# Tenant $tenant_id; not about a key.

# FILL IN: what people call it | at home.
name = ""

# --- Money ----

# The most it may cost,
# in USD.
#budget = { month_usd = null, day_usd = null }

# Example: who shares it.
#shares = { a = { of = "b" } }

apps = {
  # FILL IN: one entry for each app.
  FILL_IN = {
    # "off" ends it.
    #status = "on"
  }
}
"""
KEYS = """| key | allowed | unless set | meaning |
| --- | --- | --- | --- |
| `name` | a text | required | What people call it \\| at home |
| `budget` | `month_usd`, `day_usd`: dollars | the tier's, or none | The most it may cost, in USD |
| `shares.<partner>` | `of` (required): a text | none | Who shares it, as in `{ a = { of = "b" } }` |
| `apps.<app_id>` | an object | required | One entry for each app |
| `apps.<app_id>.status` | a text | `"on"` | "off" ends it |"""  # noqa: E501 - a row as it is written


@pytest.fixture
def tenant_files(tmp_path: Path) -> Path:
    (tmp_path / "schema.json").write_text(SCHEMA, encoding="utf-8")
    (tmp_path / "template.tfvars").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def test_a_tenants_keys_have_rules_defaults_and_words(tenant_files: Path) -> None:
    table = tenants.render(tenant_files / "schema.json", tenant_files / "template.tfvars")

    assert table == KEYS


def test_a_key_without_words_is_refused(tenant_files: Path) -> None:
    template = tenant_files / "template.tfvars"
    template.write_text(TEMPLATE.replace("# Example: who shares it.\n", ""), encoding="utf-8")

    with pytest.raises(DocsError, match="has no comment on shares, a key of tenant files"):
        tenants.render(tenant_files / "schema.json", template)
