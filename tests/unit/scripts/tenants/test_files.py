"""The tenant files' validator, merge and items."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.tenants import files as tenants
from scripts.tenants.files import Computed, TenantFilesError
from scripts.tenants.rules import SCHEMA, terraform_json
from tests.unit.scripts.tenants.tenant_cases import (
    ENVIRONMENT_FIXTURES,
    PREFIX,
    PROFILES,
    REFUSED,
    TENANT_FIXTURES,
    TIERS,
    UNORDERED_TIERS,
    UNREADABLE,
    VALID,
    Fixture,
    Refused,
    text,
)
from tollgate.domain.models import GEO_PREFIXES, GLOBAL_PREFIX, matches
from tollgate.domain.tenants import Guardrail, parse_tenant

REPOSITORY = Path(__file__).resolve().parents[4]


def _write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tfvars").write_text(content, encoding="utf-8")


def _made(tenant: tenants.Tenant) -> Computed:
    """What AWS would answer once the tenant's key and inference profiles are made."""
    return Computed(
        kms_key_arn="arn:key" if tenant.policy["own_kms_key"] else None,
        profile_arns={
            f"{app_id}/{name}": f"arn:{app_id}/{name}"
            for app_id, app in tenant.policy["apps"].items()
            for name in app["inference_profiles"]
        },
    )


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.case)
def test_a_broken_rule_names_file_key_given_and_allowed(case: Refused, tmp_path: Path) -> None:
    _write(tmp_path, case.case, case.content)

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX)

    assert list(raised.value.errors) == case.expected()


def test_every_rule_has_a_file_that_breaks_it() -> None:
    rules = {*SCHEMA["rules"], *SCHEMA["relations"], "known_key"}
    named = [fixture.rule for fixture in (*TENANT_FIXTURES, *ENVIRONMENT_FIXTURES)]

    assert sorted(named) == sorted(rules)


@pytest.mark.parametrize("fixture", TENANT_FIXTURES, ids=lambda fixture: fixture.rule)
def test_a_tenant_file_that_breaks_one_rule_is_refused(fixture: Fixture, tmp_path: Path) -> None:
    shutil.copy(fixture.path, tmp_path)

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX)

    assert raised.value.errors == tuple(f"{fixture.path.name}: {m}" for m in fixture.messages)


@pytest.mark.parametrize("fixture", ENVIRONMENT_FIXTURES, ids=lambda fixture: fixture.rule)
def test_an_environment_that_breaks_one_rule_is_refused(fixture: Fixture, tmp_path: Path) -> None:
    shutil.copy(fixture.path, tmp_path / "env.tfvars")

    with pytest.raises(TenantFilesError) as raised:
        tenants.load_environment(tmp_path)

    assert raised.value.errors == tuple(f"env.tfvars: {m}" for m in fixture.messages)


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_file_is_refused_with_the_place(case: str, tmp_path: Path) -> None:
    content, found = UNREADABLE[case]
    _write(tmp_path, case, content)

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX)

    allowed = "HCL attributes with literal values"
    assert raised.value.errors == (f"{case}.tfvars: file: given {found}; allowed: {allowed}",)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.tfvars").write_bytes(b'name = "Z\xfcrich"\n')

    with pytest.raises(TenantFilesError, match="given text that is not UTF-8"):
        tenants.load(tmp_path, TIERS, PREFIX)


def test_all_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    _write(tmp_path, "zeta", text(kind='"x"', tier='"x"'))
    _write(tmp_path, "alpha", text(name=None))
    _write(tmp_path, "broken", "name =")

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX)

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
            "tiers.pro.price: given an unknown key; allowed: "
            "alert_thresholds, budget, limits, markup, max_tokens, shards, sla, subscription_usd",
        ),
        (
            {"pro": {"budget": {"mode": "firm"}}},
            'tiers.pro.budget.mode: given "firm"; allowed: "hard", "soft" or "observe"',
        ),
    ],
)
def test_tiers_follow_the_same_rules(
    tiers: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, tiers, PREFIX)

    assert raised.value.errors == (f"env.tfvars: {message}",)


def test_numbers_of_a_tier_may_not_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, UNORDERED_TIERS, PREFIX)

    assert raised.value.errors == (
        'env.tfvars: tiers.pro.budget.day_usd: given "10"; '
        "allowed: at most the month's budget, which is 9.5",
        "env.tfvars: tiers.pro.limits.requests_per_minute: given 600; "
        "allowed: at most requests_per_day, which is 599",
        "env.tfvars: tiers.pro.max_tokens.default: given 5000; "
        "allowed: at most max_tokens.maximum, which is 4096",
    )


_NAME = "text of 1 to 100 characters that neither starts nor ends with a space"
UNITS = {"retail": {"name": "Retail", "owner": "Jo"}, "web": {"name": "Web", "owner": "Al"}}


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ({"name": "Retail"}, f"owner: given nothing; allowed: {_NAME}"),
        ({**UNITS["retail"], "shards": 65}, "shards: given 65; allowed: a whole number from 1 to"),
        (
            {**UNITS["retail"], "limits": {}},
            "limits: given an unknown key; allowed: budget, name, owner, shards",
        ),
        (
            {**UNITS["retail"], "budget": {"day_usd": "10", "month_usd": "9"}},
            'budget.day_usd: given "10"; allowed: at most the month\'s budget, which is 9',
        ),
    ],
)
def test_business_units_follow_the_same_rules(
    unit: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX, {"retail": unit})

    (error,) = raised.value.errors
    assert error.startswith(f"env.tfvars: business_units.retail.{message}")


def test_a_tenant_belongs_to_a_business_unit_of_its_environment(tmp_path: Path) -> None:
    _write(tmp_path, "mine", text(business_unit='"retail"'))

    assert tenants.load(tmp_path, TIERS, PREFIX, UNITS)["mine"].policy["business_unit"] == "retail"
    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX, {"web": UNITS["web"], "a": UNITS["web"]})

    assert raised.value.errors == (
        'mine.tfvars: business_unit: given "retail"; allowed: '
        "one of the environment's business units: a, web",
    )


def test_a_business_unit_is_an_item_beside_its_tenants(tmp_path: Path) -> None:
    (tmp_path / "env.tfvars").write_text(
        'prefix = "tollgate-dev"\ntiers = {}\nbusiness_units = {\n'
        '  web = { name = "Web", owner = "Al", budget = { month_usd = "9", mode = "soft" } }\n}\n'
    )

    units = tenants.load_business_units(tmp_path)

    item = tenants.business_unit_item(units["web"])
    assert item["pk"] == {"S": "BUSINESS_UNIT#web"}
    assert json.loads(item["document"]["S"]) == {
        "schema_version": 1,
        "id": "web",
        "name": "Web",
        "owner": "Al",
        "budget": {"month_usd": "9", "day_usd": None, "mode": "soft"},
        "shards": 1,
    }


def test_what_a_tier_promises_and_a_tenant_pays_is_in_the_policy(tmp_path: Path) -> None:
    tiers = {"pro": {"sla": {"availability": "99.9"}, "subscription_usd": "50"}}
    _write(tmp_path, "plain", text())
    _write(tmp_path, "own", text(subscription_usd='"75"', compliance='["HIPAA", "SOC 2"]'))

    found = tenants.load(tmp_path, tiers, PREFIX)

    targets = {"availability": "99.9", "latency_p95_ms": None, "first_token_p95_ms": None}
    assert found["plain"].policy["sla"] == found["own"].policy["sla"] == targets
    assert [found[name].policy["subscription_usd"] for name in ("plain", "own")] == ["50", "75"]
    assert found["own"].policy["compliance"] == ["HIPAA", "SOC 2"]
    assert found["plain"].policy["compliance"] == []


def test_another_tenants_id_is_no_team(tmp_path: Path) -> None:
    _write(tmp_path, "mine", text(teams='["search", "theirs"]'))
    _write(tmp_path, "theirs", text(teams='["search"]'))

    with pytest.raises(TenantFilesError) as raised:
        tenants.load(tmp_path, TIERS, PREFIX)

    assert raised.value.errors == (
        'mine.tfvars: teams[1]: given "theirs"; allowed: '
        "a name that is no tenant's id: a tenant's calls come with its own keys",
    )


def test_routing_prefixes_are_those_that_the_gateway_knows() -> None:
    assert tuple(SCHEMA["routing_prefixes"]) == (*GEO_PREFIXES, GLOBAL_PREFIX)


def test_no_folder_means_no_tenants(tmp_path: Path) -> None:
    assert tenants.load(tmp_path / "absent", TIERS, PREFIX) == {}


@pytest.mark.parametrize("case", VALID)
def test_every_valid_document_is_one_that_functions_read(case: str, tmp_path: Path) -> None:
    _write(tmp_path, case, VALID[case])

    tenant = tenants.load(tmp_path, TIERS, PREFIX)[case]

    parsed = parse_tenant(tenants.tenant_item(tenant, _made(tenant))["document"]["S"])
    assert parsed.tenant_id == case
    assert set(parsed.apps) == set(tenant.policy["apps"])


def test_a_files_own_field_wins_field_by_field(tmp_path: Path) -> None:
    _write(tmp_path, "own-fields", VALID["own-fields"])

    policy = tenants.load(tmp_path, TIERS, PREFIX)["own-fields"].policy

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
        "count": "auto",
    }
    assert policy["status"] == "suspended"


def test_apps_take_nothing_from_the_tier(tmp_path: Path) -> None:
    _write(tmp_path, "least", VALID["least"])

    app = tenants.load(tmp_path, TIERS, PREFIX)["least"].policy["apps"]["web"]

    assert app["budget"] == {"month_usd": None, "day_usd": None, "mode": "hard"}
    assert set(app["limits"].values()) == {None}


def test_a_tier_may_set_how_tokens_are_counted_and_whether_they_are_clamped(
    tmp_path: Path,
) -> None:
    _write(tmp_path, "least", VALID["least"])
    tiers = {"pro": {"max_tokens": {"clamp": True, "count": "exact"}, "budget": {"mode": "soft"}}}

    policy = tenants.load(tmp_path, tiers, PREFIX)["least"].policy

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
    declared = tenants.load(tmp_path, TIERS, PREFIX)["contract"]

    tenant = parse_tenant(tenants.tenant_item(declared, Computed())["document"]["S"])

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

    for tenant in tenants.load(tmp_path, TIERS, PREFIX).values():
        policy = tenant.policy
        assert (policy["shards"], policy["model_arns"], policy["prices"]) == (1, {}, {})
        assert policy["unpriced"] is None
        assert (policy["max_tokens"]["clamp"], policy["max_tokens"]["count"]) == (False, "auto")


def test_where_a_tenant_lives_and_what_protects_it_reach_the_functions(tmp_path: Path) -> None:
    _write(tmp_path, "silo", VALID["silo"])
    declared = tenants.load(tmp_path, TIERS, PREFIX)["silo"]

    tenant = parse_tenant(tenants.tenant_item(declared, _made(declared))["document"]["S"])

    assert tenant.isolation == "silo"
    assert tenant.silo is not None
    assert tenant.silo.role_arn.endswith(":role/tollgate/tollgate-dev/tenant-silo")
    assert tenant.silo.external_id == "acme:2026/11+a=b@c,d.e_f-g"
    assert tenant.denied_models == ("*premier*",)
    assert tenant.guardrail == Guardrail("gr1", "DRAFT")
    assert (tenant.retention_minutes, tenant.kms_key_arn) == (5, "arn:key")


def test_terms_come_from_the_file_then_the_tier_then_the_product(tmp_path: Path) -> None:
    for case in ("terms-of-its-own", "terms-of-the-tier", "placement-nulls"):
        _write(tmp_path, case, VALID[case])

    policies = {
        case: tenant.policy for case, tenant in tenants.load(tmp_path, TIERS, PREFIX).items()
    }

    assert {
        case: (policy["markup"], policy["alert_thresholds"]) for case, policy in policies.items()
    } == {
        "terms-of-its-own": ("0", []),
        "terms-of-the-tier": ("1.5", [80, 100]),
        "placement-nulls": ("1", [50, 80, 100]),
    }
    plain = policies["placement-nulls"]
    assert (plain["isolation"], plain["silo"], plain["deny_models"]) == ("pool", None, [])
    assert (plain["guardrail"], plain["retention_minutes"]) == (None, 1440)
    assert plain["own_kms_key"] is False


def test_profiles_get_their_arns_when_the_item_is_written(tmp_path: Path) -> None:
    _write(tmp_path, "profiles", VALID["profiles"])
    declared = tenants.load(tmp_path, TIERS, PREFIX)["profiles"]

    tenant = parse_tenant(tenants.tenant_item(declared, _made(declared))["document"]["S"])

    web = tenant.apps["web"].inference_profiles
    assert {name: (profile.model, profile.arn) for name, profile in web.items()} == {
        "lite": ("amazon.nova-lite-v1:0", "arn:web/lite"),
        "micro": ("amazon.nova-micro-v1:0", "arn:web/micro"),
    }
    assert web["micro"].tags == {"ApplicationID": "web", "TenantID": "Customer-1"}
    assert declared.policy["apps"]["web"]["inference_profiles"]["lite"] == {
        "model": "amazon.nova-lite-v1:0",
        "description": "",
        "tags": {},
    }


def test_a_profile_without_an_arn_is_a_mistake(tmp_path: Path) -> None:
    _write(tmp_path, "profiles", VALID["profiles"])

    with pytest.raises(KeyError, match="web/lite"):
        tenants.tenant_item(tenants.load(tmp_path, TIERS, PREFIX)["profiles"], Computed())


def test_an_offboarded_tenant_has_a_policy_but_nothing_to_call_with(tmp_path: Path) -> None:
    _write(tmp_path, "offboarded", VALID["offboarded"])

    tenant = tenants.load(tmp_path, TIERS, PREFIX)["offboarded"]

    assert (tenant.policy["status"], tenant.keys) == ("offboarded", {})
    assert [app["inference_profiles"] for app in tenant.policy["apps"].values()] == [{}, {}]
    items = tenants.tenant_items(tenant, {}, Computed())
    assert [item["pk"]["S"] for item in items] == ["TENANT#offboarded"]


@pytest.mark.parametrize(
    ("settings", "errors"),
    [
        ('prefix = "tollgate-dev"', []),
        ('prefix = "tollgate-prod"', ["silo.role_arn"]),
        ('parent = { unit = "tollgate-dev" }', []),
        ('parent = { unit = "tollgate-prod" }', ["silo.role_arn"]),
        ('parent = { unit = "T" }', ["parent.unit", "silo.role_arn"]),
        ('parent = { rest_api_id = "a1b2c3d4e5", stage_name = "v1" }', []),
        ("prefix = 5", ["prefix"]),
    ],
)
def test_a_silo_role_lies_at_the_path_of_the_unit_that_assumes_it(
    settings: str, errors: list[str], tmp_path: Path
) -> None:
    _write(tmp_path, "env", f"{settings}\ntiers = {_hcl(TIERS)}")
    _write(tmp_path / "tenants", "silo", VALID["silo"])

    try:
        tenants.load_environment(tmp_path)
        found = []
    except TenantFilesError as error:
        found = [line.split(": ")[1] for line in error.errors]

    assert found == errors


@pytest.mark.parametrize(
    "pattern", ["*", "amazon.*", "*lite*", "amazon.nova", "nova-*", "amazonX*"][:]
)
def test_a_profiles_model_is_matched_as_the_gateway_matches_it(
    pattern: str, tmp_path: Path
) -> None:
    _write(tmp_path, "acme", text(models=f'["{pattern}"]', apps=PROFILES))
    models = ("amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0")

    try:
        tenants.load(tmp_path, TIERS, PREFIX)
        refused = set()
    except TenantFilesError as error:
        refused = {model for model in models for line in error.errors if f'given "{model}"' in line}

    assert refused == {model for model in models if not matches([pattern], model)}


def test_items_of_a_tenant(tmp_path: Path) -> None:
    _write(tmp_path, "many-apps", VALID["many-apps"])
    tenant = tenants.load(tmp_path, TIERS, PREFIX)["many-apps"]

    items = tenants.tenant_items(tenant, {"zeta/a": "aa" * 32, "zeta/b": "bb" * 32}, Computed())

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
        tenants.tenant_items(tenants.load(tmp_path, TIERS, PREFIX)["least"], {}, Computed())


def test_documents_are_compact_sorted_and_escaped_like_terraforms() -> None:
    value = {"b": [1, True, None], "a": "<&>\u2028é\n", "A": {}}

    assert terraform_json(value) == (
        '{"A":{},"a":"\\u003c\\u0026\\u003e\\u2028é\\n","b":[1,true,null]}'
    )


def test_the_sample_profiles_carry_the_seven_tags() -> None:
    sample = tenants.load_environment(REPOSITORY / "envs" / "local")

    assert sorted(sample) == ["customer1", "customer2"]
    for tenant in sample.values():
        assert sorted(tenant.policy["apps"]) == ["codingbot", "websearch"]
        for app in tenant.policy["apps"].values():
            (profile,) = app["inference_profiles"].values()
            assert sorted(profile["tags"]) == [
                "ApplicationID",
                "CreatedBy",
                "CustomerAccountID",
                "Environment",
                "ModelName",
                "ModelProvider",
                "TenantID",
            ]


def _hcl(value: object) -> str:
    """JSON is HCL too, but for its null-free subset only, which is all that is used here."""
    return json.dumps(value)
