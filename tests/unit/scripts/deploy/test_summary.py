"""What a plan's summary tells a reviewer, and what it must never tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from scripts.deploy import environments
from scripts.deploy import summary as plan_summary
from scripts.tenants import files as tenants

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


def key(**attributes: str) -> dict[str, Any]:
    values = {"pk": f"KEY#{HASH}", "status": "active", "expires": "", **attributes}
    return {"item": json.dumps({name: {"S": value} for name, value in values.items()})}


def summary(*changes: dict[str, Any], **declared: tenants.Tenant) -> str:
    return plan_summary.summarise({"resource_changes": list(changes)}, "dev", declared)


def tenant(tmp_path: Path, text: str) -> tenants.Tenant:
    """A tenant as its file says, with the tiers of `dev`."""
    tiers = tenants.load_settings(environments.FOLDER / "dev").tiers
    (tmp_path / "acme.tfvars").write_text(text)
    return tenants.load(tmp_path, tiers, "tollgate-dev")["acme"]


def text_of(markdown: str) -> str:
    """What a reader of the comment sees, and no markup."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    inline = [child for token in tokens for child in token.children or []]
    return "\n".join(child.content for child in inline)


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

    assert "| `acme` | new: 3 to add |" in text
    assert text.count("- add key `web/primary`") == 1
    assert "- add policy\n" in text
    assert "Outside of the tenants" not in text


def test_a_new_tenant_is_told_with_its_business_unit() -> None:
    after = policy(business_unit="retail", budget={"month_usd": "9", "mode": "observe"})

    text = summary(
        change('module.tenant["acme"].aws_dynamodb_table_item.policy', ["create"], after=after)
    )

    assert "- business unit: `retail`\n- budget: $9 a month, `observe`\n" in text


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
    assert "day_usd" not in text
    assert "| `acme` | 1 to change |" in text


ACME = """
name        = "Acme Search"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*"]
deny_models = ["amazon.nova-premier-*"]
budget      = { month_usd = "50", day_usd = "10" }
apps = {
  web = { keys = { primary = {}, next = { expires = "2027-01-31" } } }
  ranker = {
    budget             = { day_usd = "2" }
    limits             = { concurrent_requests = 2 }
    inference_profiles = { cheap = { model = "amazon.nova-lite-v1:0" } }
  }
}
"""
POLICY = 'module.tenant["acme"].aws_dynamodb_table_item.policy'


@pytest.mark.parametrize("is_known", [True, False])
def test_a_new_tenant_is_told_with_what_it_may_do(tmp_path: Path, is_known: bool) -> None:
    """A policy with inference profiles is known after the apply only; the file says it before."""
    acme = tenant(tmp_path, ACME)
    document = json.loads(tenants.policy_document(acme.policy))
    text = summary(
        change(POLICY, ["create"], after=item(document) if is_known else {}),
        change('module.tenant["acme"].aws_dynamodb_table_item.key["web/next"]', ["create"]),
        acme=acme,
    )

    told = [line[2:] for line in text.splitlines() if line.startswith("- ")]
    assert told == [
        "add policy",
        "name: `Acme Search`, `team`, `CC-1001`",
        "tier: `pro`",
        "budget: $50 a month, $10 a day, `hard`",
        "limits: 10 concurrent requests, 5,000 requests per day, 120 requests per minute, "
        "100,000 tokens per minute",
        "models: `amazon.nova-*`",
        "never: `amazon.nova-premier-*`",
        "app `ranker`: budget $2 a day, `hard`; limits 2 concurrent requests",
        "app `web`: budget none; limits none",
        "add key `web/next`, last day 2027-01-31",
    ]
    assert "<details open><summary>Tenant acme</summary>" in text


def test_a_change_with_arns_that_are_not_known_yet_is_told_from_the_file(tmp_path: Path) -> None:
    acme = tenant(tmp_path, ACME)
    before = json.loads(tenants.policy_document(acme.policy))
    before["apps"]["web"]["inference_profiles"] = {"a": {"model": "m", "arn": "arn:1"}}
    before["kms_key_arn"] = "arn:2"
    before["tier"] = "free"
    text = summary(change(POLICY, ["update"], before=item(before), after={}), acme=acme)

    assert '- policy `tier`: `"free"` → `"pro"`' in text
    assert '- policy `apps.web.inference_profiles.a.model`: `"m"` → nothing' in text
    assert "- policy: ARNs that are known after the apply only" in text
    assert "arn:" not in text


def test_an_app_that_comes_or_goes_is_one_line(tmp_path: Path) -> None:
    after = json.loads(tenants.policy_document(tenant(tmp_path, ACME).policy))
    before = json.loads(json.dumps(after))
    before["apps"]["old"] = before["apps"].pop("ranker")
    text = summary(change(POLICY, ["update"], before=item(before), after=item(after)))

    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- add app `ranker`: budget $2 a day, `hard`; limits 2 concurrent requests",
        "- remove app `old`",
    ]
    assert text.splitlines()[1] == "**Removed: app `acme/old`**"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"silo": None}),
        ({"silo": None}, {}),
        ({"teams": []}, {"teams": None}),
        ({"tags": {}}, {}),
        ({"tags": {"a": {}}}, {"tags": {"b": {}}}),
    ],
)
def test_nothing_does_not_become_nothing(before: dict[str, Any], after: dict[str, Any]) -> None:
    text = summary(change(POLICY, ["update"], before=policy(**before), after=policy(**after)))

    assert "nothing → nothing" not in text
    assert "- change policy, but none of what it says" in text


def test_a_field_that_begins_or_ends_to_have_a_value_is_told() -> None:
    before, after = policy(teams=[], tags={"a": "1"}), policy(teams=["red"], tags={})
    text = summary(change(POLICY, ["update"], before=before, after=after))

    assert '- policy `teams`: nothing → `["red"]`' in text
    assert '- policy `tags.a`: `"1"` → nothing' in text


def test_a_rotation_shows_the_old_keys_last_day() -> None:
    keys = 'module.tenant["acme"].aws_dynamodb_table_item.key'
    api_keys = 'module.tenant["acme"].aws_api_gateway_api_key.this'
    text = summary(
        change(f'{api_keys}["web/next"]', ["create"]),
        change(f'{keys}["web/next"]', ["create"], after={}),
        change(f'{keys}["web/old"]', ["update"], before=key(), after=key(expires="2026-12-31")),
    )

    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- add key `web/next`",
        "- key `web/old`: last day none → 2026-12-31",
    ]
    assert HASH not in text


@pytest.mark.parametrize("status", ["suspended", "offboarded"])
def test_what_is_stopped_is_the_first_line(status: str) -> None:
    old, new = ({"apps": {"web": {"status": value}}} for value in ("active", "suspended"))
    name = 'module.tenant["globex"].aws_dynamodb_table_item'
    changes = (
        change(POLICY, ["update"], before=policy(), after=policy(status=status)),
        change(f"{name}.policy", ["update"], before=policy(**old), after=policy(**new)),
        change(
            f'{name}.key["app/primary"]', ["update"], before=key(), after=key(status="suspended")
        ),
        change('module.tenant["gone"].aws_dynamodb_table_item.policy', ["delete"], before=policy()),
    )
    _, *lines = summary(*changes).splitlines()
    stopped = [line for line in lines if line.startswith("**")]

    assert lines[0] == stopped[0] == "**Removed: tenant `gone`**"
    suspended = "app `globex/web`, key `globex/app/primary`**"
    if status == "suspended":
        assert stopped[1] == f"**Suspended: tenant `acme`, {suspended}"
    else:
        assert stopped[1:] == ["**Offboarded: tenant `acme`**", f"**Suspended: {suspended}"]
    assert "- key `app/primary`: suspended" in lines
    said = plan_summary.tell({"resource_changes": list(changes)}, "dev")
    assert "tenant acme" in said.partition(f"{status}: ")[2].splitlines()[0]


def test_what_is_active_again_is_not_stopped() -> None:
    before, after = policy(status="suspended"), policy(status="active")
    text = summary(change(POLICY, ["update"], before=before, after=after))

    assert "Suspended" not in text
    assert '- policy `status`: `"suspended"` → `"active"`' in text


@pytest.mark.parametrize(
    "name",
    [
        "</details> **bold** @everyone ![x](https://example.com/x)",
        "a ` b `` c",
        "`",
        "a|b",
        "reversed \u202e text",
    ],
)
def test_a_tenants_name_stays_in_its_place(tmp_path: Path, name: str) -> None:
    acme = tenant(tmp_path, ACME.replace("Acme Search", name))
    document = json.loads(tenants.policy_document(acme.policy))
    renamed = {**document, "name": "Acme"}
    for text in (
        summary(change(POLICY, ["create"], after=item(document))),
        summary(change(POLICY, ["update"], before=item(renamed), after=item(document))),
    ):
        visible = name.replace("\u202e", "\\u202e")
        assert visible in text_of(text).replace('"', "")
        tokens = MarkdownIt("commonmark", {"html": True}).parse(text)
        kinds = {child.type for token in tokens for child in token.children or []}
        assert kinds <= {"text", "code_inline", "softbreak"}
        assert [token.content.strip() for token in tokens if token.type == "html_block"] == [
            "<!-- tollgate plan: dev -->",
            text[text.index("<details") :].splitlines()[0],
            "</details>",
        ]
        assert "\u202e" not in text


HOSTILE = [
    "</code></summary></details>\n\n# Approved",
    "a | b | c",
    "` @everyone `",
    "[a](https://example.com) <img src=x>",
    "line\nline\r\n- item",
    "",
    "   ",
    "\\| \\` \\",
    "www.example.com #1 @a",
    "`" * 400,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_tenants_files_say_leaves_its_place(text: str) -> None:
    """Terraform has not looked at all of it yet when somebody reads the comment."""
    said = {
        "name": text,
        "tier": text,
        "cost_center": text,
        "models": [text],
        "deny_models": [text],
        "status": text,
        "budget": {"month_usd": text, "mode": text},
        "limits": {"requests_per_day": text, text: 7},
        "apps": {text: {"budget": {"day_usd": text}, "limits": {}, "status": text}},
        text: text,
    }
    quoted = text.replace('"', "'")
    module = f'module.tenant["{quoted or "none"}"]'
    document = item(said)
    old, new = key(expires=text, status="x"), key(expires=f"{text}2", status=text)
    hash_key = f'aws_dynamodb_table_item.key["{quoted or "none"}"]'
    told = summary(
        change(f"{module}.aws_dynamodb_table_item.policy", ["create"], after=document),
        change(f"{module}.{hash_key}", ["update"], before=old, after=new),
        change(f"{module}.aws_kms_key.x", ["create"]),
        change(
            POLICY, ["update"], before=item({"name": "Acme", "status": "active"}), after=document
        ),
    )

    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(told)
    children = [child for token in tokens for child in token.children or []]
    assert {child.type for child in children} <= {
        *("code_inline", "softbreak", "strong_close", "strong_open", "text")
    }
    outside = "".join(child.content for child in children if child.type == "text")
    assert not set("@#<>[]`") & set(outside)
    blocks = [token.content for token in tokens if token.type == "html_block"]
    assert sum(block.count("<details") - block.count("</details>") for block in blocks) == 0
    assert "</summary></details>" not in "".join(blocks)
    assert not any("@" in block and "<code>" not in block for block in blocks)
    cells = [line for line in told.splitlines() if line.startswith("| ")]
    rows = sum(token.type == "tr_open" for token in tokens)
    assert len(cells) == rows + 1  # the line below the head is no row
    assert sum(token.type in ("th_open", "td_open") for token in tokens) == 2 * rows


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    after = policy(system_preamble="x" * 5000)
    text = summary(change(POLICY, ["update"], before=policy(), after=after))

    assert "x…`" in text
    assert len(text) < 1000


def test_the_last_lines_on_a_terminal_count_by_tenant_and_kind() -> None:
    text = plan_summary.tell(
        {
            "resource_changes": [
                change(POLICY, ["create"], after=policy()),
                change('module.tenant["acme"].aws_s3_object.dimension', ["create"]),
                change("module.gateway.aws_api_gateway_stage.this", ["update"]),
                change('module.function["invoke"].aws_lambda_function.this', ["update"]),
                change('module.function["stream"].aws_lambda_function.this', ["delete", "create"]),
                change("aws_kms_key.this", ["no-op"]),
            ]
        },
        "dev",
    )

    assert text.splitlines() == [
        "Plan for dev: 2 to add, 2 to change, 1 to replace",
        "  tenant acme: 2 to add",
        "  outside of the tenants: 2 to change, 1 to replace",
        "       2 aws_lambda_function",
        "       1 aws_api_gateway_stage",
    ]


def test_a_terminal_is_told_of_the_most_frequent_kinds() -> None:
    changes = [
        change(f"aws_kind_{n:02}.this[{index}]", ["create"])
        for n in range(12)
        for index in range(20 - n)
    ]
    _, _, *kinds = plan_summary.tell({"resource_changes": changes}, "dev").splitlines()

    assert kinds[0] == "      20 aws_kind_00"
    assert kinds[7:] == ["      13 aws_kind_07", "      42 of 4 other kinds"]


def test_a_terminal_is_told_of_twenty_tenants_and_how_many_more() -> None:
    changes = [
        change(f'module.tenant["t{n:03}"].aws_s3_object.dimension', ["create"]) for n in range(100)
    ]
    text = plan_summary.tell({"resource_changes": changes}, "dev")

    assert "  tenant t019: 1 to add\n  and 80 more tenants" in text
    assert "t020" not in text


def test_a_plan_without_changes_says_so_on_a_terminal() -> None:
    assert plan_summary.tell({}, "dev") == "Plan for dev: nothing changes"


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
