"""What a plan's summary tells a reviewer, and what it must never tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import environments
from scripts.deploy import summary as plan_summary

if TYPE_CHECKING:
    from pathlib import Path

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
HASH = "f" * 64
EXTERNAL_ID = "made-up-external-id"


def change(address: str, actions: list[str], **values: Any) -> dict[str, Any]:
    return {
        "address": address,
        "change": {"actions": actions, "before": None, "after": None, **values},
    }


def item(document: dict[str, Any]) -> dict[str, Any]:
    return {"item": json.dumps({"pk": {"S": "T"}, "document": {"S": json.dumps(document)}})}


def policy(**fields: Any) -> dict[str, Any]:
    return item({"tenant_id": "acme", "budget": {"month_usd": "50", "day_usd": None}, **fields})


def summary(*changes: dict[str, Any]) -> str:
    return plan_summary.summarise({"resource_changes": list(changes)}, "dev")


def test_the_first_line_finds_the_environments_comment_again() -> None:
    assert summary().startswith("<!-- tollgate plan: dev -->\n")
    assert plan_summary.marker("dev") != plan_summary.marker("prod")


@pytest.mark.parametrize("actions", [["no-op"], ["read"]])
def test_what_changes_nothing_is_left_out(actions: list[str]) -> None:
    assert summary(change("aws_kms_key.this", actions)).endswith("Nothing changes.")


def test_a_new_tenant_is_one_row_with_its_keys_by_name() -> None:
    text = summary(
        change('module.tenant["acme"].aws_dynamodb_table_item.policy', ["create"], after=policy()),
        change('module.tenant["acme"].aws_api_gateway_api_key.this["web/primary"]', ["create"]),
        change('module.tenant["acme"].aws_dynamodb_table_item.key["web/primary"]', ["create"]),
    )

    assert "| `acme` | 3 to add |" in text
    assert text.count("- add key `web/primary`") == 1
    assert "- add policy\n" in text
    assert "Outside of the tenants" not in text


def test_a_changed_policy_is_told_field_by_field() -> None:
    text = summary(
        change(
            'module.tenant["acme"].aws_dynamodb_table_item.policy',
            ["update"],
            before=policy(models=["a"]),
            after=policy(models=["a", "b"], shards=2),
        )
    )

    assert '- policy `models`: `["a"]` → `["a", "b"]`' in text
    assert "- policy `shards`: nothing → `2`" in text
    assert "tenant_id" not in text
    assert "| `acme` | 1 to change |" in text


def test_a_policy_that_is_not_known_yet_says_so() -> None:
    address = 'module.tenant["acme"].aws_dynamodb_table_item.policy'
    text = summary(change(address, ["update"], before=policy(), after={}))

    assert "- change policy, some of it known after the apply only" in text


def test_the_rest_is_told_apart_from_the_tenants() -> None:
    text = summary(
        change("module.gateway.aws_api_gateway_stage.this", ["update"]),
        change('module.function["invoke"].aws_lambda_function.this', ["delete", "create"]),
        change("aws_kms_key.this", ["no-op"], importing={"id": "x"}),
    )

    assert "No tenant changes." in text
    assert "**Outside of the tenants:** 1 to adopt, 1 to change, 1 to replace" in text
    assert "- change `module.gateway.aws_api_gateway_stage.this`" in text


def test_no_secret_of_the_plan_is_in_the_summary() -> None:
    old = policy(silo={"role_arn": "arn:1", "external_id": EXTERNAL_ID})
    new = policy(silo={"role_arn": "arn:2", "external_id": f"{EXTERNAL_ID}-2"})
    tenant = 'module.tenant["acme"]'
    text = summary(
        change(f"{tenant}.aws_dynamodb_table_item.policy", ["update"], before=old, after=new),
        change(
            f'{tenant}.aws_api_gateway_api_key.this["web/primary"]',
            ["create"],
            after={"value": KEY},
        ),
        change(
            f'{tenant}.aws_dynamodb_table_item.key["web/primary"]',
            ["update"],
            before={"item": json.dumps({"pk": {"S": f"KEY#{HASH}"}})},
        ),
        change(f'{tenant}.aws_ssm_parameter.key["web/primary"]', ["create"], after={"value": KEY}),
    )

    assert not [secret for secret in (KEY, HASH, EXTERNAL_ID) if secret in text]
    assert "- policy `silo.external_id`: changed" in text
    assert '- policy `silo.role_arn`: `"arn:1"` → `"arn:2"`' in text


def test_a_long_summary_fits_a_comment_and_says_what_is_missing() -> None:
    text = summary(*(change(f"aws_ssm_parameter.n{n:040}", ["create"]) for n in range(2000)))

    assert len(text) < 65_536
    assert "more lines; the whole plan is in the job's log." in text


def test_it_reads_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = environments.deployable()[0]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"resource_changes": []}))

    assert plan_summary.main(["--env", environment, "--plan-json", str(file)]) == 0
    assert capsys.readouterr().out == summary().replace("dev", environment) + "\n"


@pytest.mark.parametrize("text", ["", "no json"])
def test_a_file_that_is_no_plan_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)

    assert plan_summary.main(["--env", "dev", "--plan-json", str(file)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
