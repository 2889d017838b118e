"""No key is readable in what is printed of a plan."""

from __future__ import annotations

import pytest

from scripts.deploy.redaction import redact

KEY = "vcGLKw1U6b7253YiodBruhgFemPsXDkxTAOICVNS"
BOLD, RESET, RED = "\x1b[1m", "\x1b[0m", "\x1b[31m"


@pytest.mark.parametrize(
    ("attribute", "shown"),
    [
        (f'- value         = "{KEY}" -> null', "- value         = (sensitive value) -> null"),
        (f'  value         = "{KEY}"', "  value         = (sensitive value)"),
        (
            f'~ value         = "{KEY}" -> "{KEY[::-1]}"',
            "~ value         = (sensitive value) -> (sensitive value)",
        ),
        (
            f'~ value         = "{KEY}" -> (known after apply)',
            "~ value         = (sensitive value) -> (known after apply)",
        ),
        (
            f'{RED}-{RESET}{RESET} value         = "{KEY}" {RED}->{RESET} null',
            f"{RED}-{RESET}{RESET} value         = (sensitive value) {RED}->{RESET} null",
        ),
        ('- id            = "abc" -> null', '- id            = "abc" -> null'),
        ("+ value         = (known after apply)", "+ value         = (known after apply)"),
    ],
)
@pytest.mark.parametrize("sign", ["-", "-/+", "+/-", "~", f"{RED}-{RESET}"])
def test_a_key_is_not_shown(sign: str, attribute: str, shown: str) -> None:
    text = f"""
  # module.tenant["acme"].aws_api_gateway_usage_plan_key.this["web/primary"] will be destroyed
  {sign} resource "aws_api_gateway_usage_plan_key" "this" {{
      {attribute}
    }}
"""

    assert "".join(redact(text.splitlines(keepends=True))) == text.replace(attribute, shown)


def test_other_resources_are_shown_as_they_are() -> None:
    text = """
  - resource "aws_api_gateway_usage_plan_key" "this" {
      - id = "abc" -> null
    }

  - resource "aws_ssm_parameter" "output" {
      - value = "v1" -> null
    }
"""

    assert "".join(redact(text.splitlines(keepends=True))) == text


def test_lines_come_one_by_one() -> None:
    def lines() -> object:
        yield "first\n"
        raise AssertionError("asked for the second line before the first was given")

    assert next(iter(redact(lines()))) == "first\n"  # type: ignore[arg-type]
