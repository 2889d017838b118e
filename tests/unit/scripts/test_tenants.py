"""The tenant files' validator, merge and items."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import tenants
from scripts.tenants import TenantFilesError, terraform_json
from tests.unit.scripts.tenant_cases import REFUSED, TIERS, UNREADABLE, VALID, Refused, text
from tollgate.domain.tenants import parse_tenant

REPOSITORY = Path(__file__).resolve().parents[3]


def _write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tfvars").write_text(content, encoding="utf-8")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.case)
def test_a_broken_rule_names_file_key_given_and_allowed(case: Refused, tmp_path: Path) -> None:
    _write(tmp_path, case.case, case.content)

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS)

    assert list(raised.value.errors) == case.expected()


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_file_is_refused_with_the_place(case: str, tmp_path: Path) -> None:
    content, found = UNREADABLE[case]
    _write(tmp_path, case, content)

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS)

    allowed = "HCL attributes with literal values"
    assert raised.value.errors == (f"{case}.tfvars: file: given {found}; allowed: {allowed}",)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.tfvars").write_bytes(b'name = "Z\xfcrich"\n')

    with pytest.raises(TenantFilesError, match="given text that is not UTF-8"):
        tenants.load(tmp_path, TIERS)


def test_all_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    _write(tmp_path, "zeta", text(kind='"x"', tier='"x"'))
    _write(tmp_path, "alpha", text(name=None))
    _write(tmp_path, "broken", "name =")

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS)

    starts = [error.split(": given")[0] for error in raised.value.errors]
    assert starts == [
        "alpha.tfvars: name",
        "broken.tfvars: file",
        "zeta.tfvars: kind",
        "zeta.tfvars: tier",
    ]


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        (
            {"Gold": {}},
            'tiers.Gold (name): given "Gold"; allowed: a name of at most 31 lower-case '
            "letters, digits, _ and - that starts with a letter",
        ),
        ({"pro": "x"}, 'tiers.pro: given "x"; allowed: an object such as { }'),
        (
            {"pro": {"price": 5}},
            "tiers.pro.price: given an unknown key; allowed: budget, limits, max_tokens",
        ),
        (
            {"pro": {"budget": {"mode": "firm"}}},
            'tiers.pro.budget.mode: given "firm"; allowed: "hard" or "soft"',
        ),
    ],
)
def test_tiers_follow_the_same_rules(
    tiers: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, tiers)

    assert raised.value.errors == (f"env.tfvars: {message}",)


def test_no_folder_means_no_tenants(tmp_path: Path) -> None:
    assert tenants.load(tmp_path / "absent", TIERS) == {}


@pytest.mark.parametrize("case", VALID)
def test_every_valid_document_is_one_that_functions_read(case: str, tmp_path: Path) -> None:
    _write(tmp_path, case, VALID[case])

    tenant = tenants.load(tmp_path, TIERS)[case]

    parsed = parse_tenant(tenants.policy_document(tenant.policy))
    assert parsed.tenant_id == case
    assert set(parsed.apps) == set(tenant.policy["apps"])


def test_a_files_own_field_wins_field_by_field(tmp_path: Path) -> None:
    _write(tmp_path, "own-fields", VALID["own-fields"])

    policy = tenants.load(tmp_path, TIERS)["own-fields"].policy

    assert policy["budget"] == {"month_usd": "0.000000000001", "day_usd": "50", "mode": "hard"}
    assert policy["limits"] == {
        "requests_per_minute": 600,
        "requests_per_day": 10000,
        "tokens_per_minute": 200000,
        "concurrent_requests": None,
    }
    assert policy["max_tokens"] == {
        "default": 1024,
        "maximum": 2048,
        "clamp": False,
        "count": "bytes",
    }
    assert policy["status"] == "suspended"


def test_apps_take_nothing_from_the_tier(tmp_path: Path) -> None:
    _write(tmp_path, "least", VALID["least"])

    app = tenants.load(tmp_path, TIERS)["least"].policy["apps"]["web"]

    assert app["budget"] == {"month_usd": None, "day_usd": None, "mode": "hard"}
    assert set(app["limits"].values()) == {None}


def test_a_tier_may_set_how_tokens_are_counted_and_whether_they_are_clamped(
    tmp_path: Path,
) -> None:
    _write(tmp_path, "least", VALID["least"])
    tiers = {"pro": {"max_tokens": {"clamp": True, "count": "exact"}, "budget": {"mode": "soft"}}}

    policy = tenants.load(tmp_path, tiers)["least"].policy

    assert policy["max_tokens"] == {
        "default": None,
        "maximum": None,
        "clamp": True,
        "count": "exact",
    }
    assert policy["budget"]["mode"] == "soft"
    assert policy["apps"]["web"]["budget"]["mode"] == "hard"


def test_contract_terms_reach_the_functions(tmp_path: Path) -> None:
    _write(tmp_path, "contract", VALID["contract"])
    policy = tenants.load(tmp_path, TIERS)["contract"].policy

    tenant = parse_tenant(tenants.policy_document(policy))

    assert not tenant.budget.is_hard
    assert not tenant.apps["web"].budget.is_hard
    assert (tenant.shards, tenant.clamp_max_tokens, tenant.count_tokens) == (64, True, "exact")
    assert sorted(tenant.model_arns.values()) == [
        "amazon.nova-pro-v1:0",
        "us.amazon.nova-lite-v1:0",
    ]
    assert tenant.prices["amazon.nova-lite-v1:0"]["geo/us"]["priority"] == {
        "cache_write_5m": "1",
        "cache_write_1h": "1.25",
        "long_context": {"threshold": 200000, "input": "6", "output": "22.5"},
        "units": {"image": "0.060000000001"},
    }
    assert tenant.unpriced == {"input": "20", "output": "100.5"}


def test_what_a_file_leaves_out_is_written_all_the_same(tmp_path: Path) -> None:
    _write(tmp_path, "least", VALID["least"])
    _write(tmp_path, "more-nulls", VALID["more-nulls"])

    for tenant in tenants.load(tmp_path, TIERS).values():
        policy = tenant.policy
        assert (policy["shards"], policy["model_arns"], policy["prices"]) == (1, {}, {})
        assert policy["unpriced"] is None
        assert (policy["max_tokens"]["clamp"], policy["max_tokens"]["count"]) == (False, "bytes")


def test_items_of_a_tenant(tmp_path: Path) -> None:
    _write(tmp_path, "many-apps", VALID["many-apps"])
    tenant = tenants.load(tmp_path, TIERS)["many-apps"]

    items = tenants.tenant_items(tenant, {"zeta/a": "aa" * 32, "zeta/b": "bb" * 32})

    assert [item["pk"]["S"] for item in items] == [
        "TENANT#many-apps",
        f"KEY#{'aa' * 32}",
        f"KEY#{'bb' * 32}",
    ]
    assert set(items[0]) == {"pk", "document"}
    assert json.loads(items[0]["document"]["S"])["schema_version"] == 1
    assert items[2] == {
        "pk": {"S": f"KEY#{'bb' * 32}"},
        "tenant_id": {"S": "many-apps"},
        "app_id": {"S": "zeta"},
        "key_id": {"S": "zeta/b"},
        "tier": {"S": "pro"},
        "status": {"S": "active"},
        "expires": {"S": "2028-02-29"},
    }
    assert items[1]["status"] == {"S": "suspended"}


def test_a_key_without_a_hash_is_a_mistake(tmp_path: Path) -> None:
    _write(tmp_path, "least", VALID["least"])

    with pytest.raises(KeyError, match="web/primary"):
        tenants.tenant_items(tenants.load(tmp_path, TIERS)["least"], {})


def test_documents_are_compact_sorted_and_escaped_like_terraforms() -> None:
    value = {"b": [1, True, None], "a": "<&>\u2028é\n", "A": {}}

    assert terraform_json(value) == (
        '{"A":{},"a":"\\u003c\\u0026\\u003e\\u2028é\\n","b":[1,true,null]}'
    )


def test_the_sample_tenants_carry_the_seven_tags() -> None:
    sample = tenants.load_environment(REPOSITORY / "envs" / "local")

    assert sorted(sample) == ["customer1", "customer2"]
    for tenant in sample.values():
        assert sorted(tenant.policy["apps"]) == ["codingbot", "websearch"]
        for app in tenant.policy["apps"].values():
            assert sorted(app["tags"]) == [
                "ApplicationID",
                "CreatedBy",
                "CustomerAccountID",
                "Environment",
                "ModelName",
                "ModelProvider",
                "TenantID",
            ]


def test_the_command_counts_what_is_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "dev", "env", f"tiers = {_hcl(TIERS)}")
    _write(tmp_path / "dev" / "tenants", "least", VALID["least"])

    assert tenants.main(["validate"], root=tmp_path) == 0

    assert capsys.readouterr().out == "dev: 1 tenants with 1 keys are valid\n"


def test_the_command_prints_each_error_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "dev", "env", 'region = "us-east-1"\n')
    _write(tmp_path / "dev" / "tenants", "acme", text(tier=None))

    assert tenants.main(["validate", "dev", "absent"], root=tmp_path) == 1

    assert capsys.readouterr().err.splitlines() == [
        "envs/dev/env.tfvars: tiers: given nothing; allowed: an object such as { }",
        "envs/dev/tenants/acme.tfvars: tier: given nothing; "
        "allowed: the name of a tier of the environment",
        "envs/absent/env.tfvars: file: given nothing; allowed: HCL attributes with literal values",
    ]


def _hcl(value: object) -> str:
    """JSON is HCL too, but for its null-free subset only, which is all that is used here."""
    return json.dumps(value)
