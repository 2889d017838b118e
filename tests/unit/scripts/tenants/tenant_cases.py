"""Tenant files for the tests of both validators: Python's here, Terraform's in tests/contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "tollgate-dev"
TIERS: dict[str, Any] = {
    "pro": {
        "budget": {"month_usd": "500", "day_usd": "50"},
        "limits": {"requests_per_minute": 600, "tokens_per_minute": 200000},
        "max_tokens": {"default": 1024, "maximum": 4096},
    },
    "free": {},
    "resold": {"markup": "1.5", "alert_thresholds": [80, 100]},
}

UNORDERED_TIERS: dict[str, Any] = {
    "pro": {
        "budget": {"month_usd": "9.5", "day_usd": "10"},
        "limits": {"requests_per_minute": 600, "requests_per_day": 599},
        "max_tokens": {"default": 5000, "maximum": 4096},
    },
}

# What each of them allows its tenants, with the shards that it has; the last two are too much.
LOADED_TIERS: dict[str, Any] = {
    "idle": {"limits": {"concurrent_requests": 900}},
    "fits": {"limits": {"requests_per_minute": 3000, "concurrent_requests": 200}, "shards": 3},
    "short": {"limits": {"requests_per_minute": 3000, "concurrent_requests": 200}, "shards": 2},
    "usual": {"limits": {"requests_per_minute": 3000}},
}
_LOAD = "one account takes half of the 1000 units that DynamoDB writes a second"
LOADED_MESSAGES = [
    "env.tfvars: tiers.short.shards: given 2; allowed: 3 or more, for 3000 requests a minute and "
    f"200 at once: {_LOAD}",
    "env.tfvars: tiers.usual.shards: given nothing; allowed: 5 or more, for 3000 requests a minute "
    f"and 500 at once: {_LOAD}",
]

VALID_LINES = {
    "name": '"Acme Search"',
    "kind": '"team"',
    "cost_center": '"CC-1001"',
    "tier": '"pro"',
    "models": '["amazon.nova-*"]',
    "apps": "{ web = { keys = { primary = {} } } }",
}


def text(**changes: str | None) -> str:
    """A valid file with some lines changed, added or (None) left out."""
    lines = {**VALID_LINES, **changes}
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)


SILO = """{
  role_arn    = "arn:aws:iam::444455556666:role/tollgate/tollgate-dev/tenant-silo"
  external_id = "acme:2026/11+a=b@c,d.e_f-g"
}"""
PROFILES = """{
  web = {
    inference_profiles = {
      lite = { model = "amazon.nova-lite-v1:0" }
      micro = {
        model       = "amazon.nova-micro-v1:0"
        description = "Search: web-2.0"
        tags        = { ApplicationID = "web", "TenantID" = "Customer-1" }
      }
    }
  }
  batch = { inference_profiles = { lite = { model = "amazon.nova-lite-v1:0", tags = null } } }
}"""


def app(content: str) -> str:
    """A valid file whose only app has this content."""
    return text(apps=f"{{ web = {{ {content} }} }}")


@dataclass(frozen=True)
class Refused:
    """A file (named after the case) with the exact messages that it must cause."""

    case: str
    content: str
    messages: list[str]
    terraform_too: bool = field(default=True)

    def expected(self) -> list[str]:
        return [f"{self.case}.tfvars: {message}" for message in self.messages]


_NAME = "text of 1 to 100 characters that neither starts nor ends with a space"
_COUNT = "a whole number from 1 to 999999999"
_USD = (
    "US dollars as a decimal string with at most 12 digits before and 12 after the point, "
    'such as "500" or "0.25"'
)
_OBJECT = "an object such as { }"
_DATE = 'a date of the calendar as "YYYY-MM-DD"'
_STATUS = '"active" or "suspended"'
_TENANT_STATUS = '"active", "suspended" or "offboarded"'
_MODEL = "a model id or pattern of letters, digits, .:_- and *"
_TAG_KEY = "a name of 1 to 128 letters, digits, spaces and _.:/=+-@"
_TAG_VALUE = "text of at most 256 letters, digits, spaces and _.:/=+-@"
_COST_CENTER = (
    "text of 1 to 100 letters, digits, spaces and _.:/=+-@ that starts with a letter or digit"
)
_KINDS = '"customer", "department", "project", "team" or "user"'
_TENANT_ID = (
    "3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end "
    "with a hyphen"
)
_TENANT_KEYS = (
    "alert_thresholds, allow_fields, apps, budget, business_unit, compliance, cost_center, "
    "deny_models, guardrail, isolation, kind, limits, markup, max_tokens, model_arns, "
    "model_limits, models, name, own_kms_key, prices, retention_minutes, shards, silo, status, "
    "subscription_usd, system_preamble, tags, teams, tier, unpriced"
)
_PREAMBLE = (
    "allowed: text of 1 to 4000 characters, line breaks and tabs among them, that does not start "
    "with a space or a line break"
)
_FIELD = (
    "allowed: a member's name, with points for members of members, or anthropic_beta:<beta> or "
    "tools:<type>"
)
_LIMIT_KEYS = "concurrent_requests, requests_per_day, requests_per_minute, tokens_per_minute"
_SHARDS = "a whole number from 1 to 64"
_PRICE = (
    "US dollars per million tokens as a decimal string with at most 6 digits before and 6 after "
    'the point, such as "3" or "0.25"'
)
_RATE_KEYS = "cache_read, cache_write_1h, cache_write_5m, input, long_context, output, units"
_MODEL_ID = "a model id or inference profile id of letters, digits and .:_-"
_MODEL_ARN = (
    "the ARN of an application inference profile, a provisioned, custom or imported model, or a "
    "custom model deployment"
)
_NOT_EMPTY = "an object with at least one entry"
_LITERALS = "HCL attributes with literal values"

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tenants"


@dataclass(frozen=True)
class Fixture:
    """A file for one rule, which its first line names; then the messages that it must cause."""

    path: Path
    rule: str
    messages: tuple[str, ...]


def fixtures(folder: Path, outcome: str = "refused") -> list[Fixture]:
    """Read the fixtures of a folder: ``# rule: <name>``, then ``# <outcome>: <message>`` lines."""
    read = []
    opening = f"# {outcome}: "
    for path in sorted(folder.glob("*.tfvars")):
        first, *others = path.read_text(encoding="utf-8").splitlines()
        messages = [line for line in others if line.startswith(opening)]
        read.append(
            Fixture(
                path,
                first.removeprefix("# rule: "),
                tuple(message.removeprefix(opening) for message in messages),
            )
        )
    return read


TENANT_FIXTURES = fixtures(FIXTURES)
ENVIRONMENT_FIXTURES = fixtures(FIXTURES / "environments")
WARNED_FIXTURES = fixtures(FIXTURES / "warnings", "warned")

REFUSED = [
    Refused("File_Name", text(), [f'file name: given "File_Name"; allowed: {_TENANT_ID}']),
    Refused("ab", text(), [f'file name: given "ab"; allowed: {_TENANT_ID}']),
    Refused("ends-", text(), [f'file name: given "ends-"; allowed: {_TENANT_ID}']),
    Refused(
        "empty",
        "",
        [
            "apps: given nothing; allowed: an object with at least one entry",
            f"cost_center: given nothing; allowed: {_COST_CENTER}",
            f"kind: given nothing; allowed: {_KINDS}",
            "models: given nothing; allowed: a list with at least one entry",
            f"name: given nothing; allowed: {_NAME}",
            "tier: given nothing; allowed: the name of a tier of the environment",
        ],
    ),
    Refused(
        "unknown-key",
        text(bugdet="{}"),
        [f"bugdet: given an unknown key; allowed: {_TENANT_KEYS}"],
    ),
    Refused(
        "unknown-budget-key",
        text(budget='{ month = "5" }'),
        ["budget.month: given an unknown key; allowed: day_usd, mode, month_usd"],
    ),
    Refused(
        "unknown-limit",
        text(limits="{ requests_per_hour = 5 }"),
        [f"limits.requests_per_hour: given an unknown key; allowed: {_LIMIT_KEYS}"],
    ),
    Refused(
        "unknown-max-tokens",
        text(max_tokens="{ max = 5 }"),
        ["max_tokens.max: given an unknown key; allowed: clamp, count, default, maximum"],
    ),
    Refused(
        "unknown-app-key",
        app("tier = 5"),
        [
            "apps.web.tier: given an unknown key; allowed: "
            "budget, inference_profiles, keys, limits, status, tags"
        ],
    ),
    Refused(
        "unknown-app-limit",
        app("limits = { rpm = 5 }"),
        [f"apps.web.limits.rpm: given an unknown key; allowed: {_LIMIT_KEYS}"],
    ),
    Refused(
        "unknown-key-key",
        app("keys = { primary = { value = 5 } }"),
        ["apps.web.keys.primary.value: given an unknown key; allowed: expires, status"],
    ),
    Refused(
        "preamble-empty", text(system_preamble='""'), [f'system_preamble: given ""; {_PREAMBLE}']
    ),
    Refused(
        "preamble-too-long",
        text(system_preamble=f'"{"a" * 4001}"'),
        [f'system_preamble: given "{"a" * 4001}"; {_PREAMBLE}'],
    ),
    Refused(
        "preamble-list", text(system_preamble="[]"), [f"system_preamble: given []; {_PREAMBLE}"]
    ),
    Refused(
        "teams-text", text(teams='"search"'), ['teams: given "search"; allowed: a list such as [ ]']
    ),
    Refused(
        "team-name",
        text(teams='["search", "Support", 5]'),
        [
            f'teams[1]: given "Support"; allowed: {_TENANT_ID}',
            f"teams[2]: given 5; allowed: {_TENANT_ID}",
        ],
    ),
    Refused(
        "model-limits",
        text(
            model_limits='{ "a b" = { tokens_per_minute = 5 }, "amazon.*" = {}, '
            '"anthropic.*" = { tokens_per_second = 5, requests_per_day = 0 } }'
        ),
        [
            'model_limits.a b (name): given "a b"; allowed: a model id or pattern of letters, '
            "digits, .:_- and *",
            "model_limits.amazon.*: given {}; allowed: an object with at least one entry",
            "model_limits.anthropic.*.requests_per_day: given 0; "
            "allowed: a whole number from 1 to 999999999",
            "model_limits.anthropic.*.tokens_per_second: given an unknown key; allowed: "
            "concurrent_requests, requests_per_day, requests_per_minute, tokens_per_minute",
        ],
    ),
    Refused(
        "allowed-fields",
        text(allow_fields='["a.b", "a..b", "amazon-bedrock-guardrailConfig", "tools:", "x:y", 5]'),
        [
            f'allow_fields[1]: given "a..b"; {_FIELD}',
            f'allow_fields[2]: given "amazon-bedrock-guardrailConfig"; {_FIELD}',
            f'allow_fields[3]: given "tools:"; {_FIELD}',
            f'allow_fields[4]: given "x:y"; {_FIELD}',
            f"allow_fields[5]: given 5; {_FIELD}",
        ],
    ),
    Refused("name-number", text(name="5"), [f"name: given 5; allowed: {_NAME}"]),
    Refused("name-blank", text(name='" "'), [f'name: given " "; allowed: {_NAME}']),
    Refused(
        "name-escapes",
        text(name='"a\\n<&>\\u00e9"'),
        [f'name: given "a\\n\\u003c\\u0026\\u003eé"; allowed: {_NAME}'],
    ),
    Refused("kind", text(kind='"squad"'), [f'kind: given "squad"; allowed: {_KINDS}']),
    Refused(
        "cost-center",
        text(cost_center='"#1"'),
        [f'cost_center: given "#1"; allowed: {_COST_CENTER}'],
    ),
    Refused(
        "tier-unknown",
        text(tier='"gold"'),
        ['tier: given "gold"; allowed: one of the environment\'s tiers: free, pro, resold'],
    ),
    Refused(
        "tier-list",
        text(tier='["pro"]'),
        ['tier: given ["pro"]; allowed: the name of a tier of the environment'],
    ),
    Refused("status", text(status='"off"'), [f'status: given "off"; allowed: {_TENANT_STATUS}']),
    Refused("status-bool", text(status="true"), [f"status: given true; allowed: {_TENANT_STATUS}"]),
    Refused(
        "models-empty",
        text(models="[]"),
        ["models: given []; allowed: a list with at least one entry"],
    ),
    Refused(
        "models-text",
        text(models='"amazon.nova-*"'),
        ['models: given "amazon.nova-*"; allowed: a list with at least one entry'],
    ),
    Refused(
        "models-items",
        text(models='["a b", 5, null]'),
        [
            f'models[0]: given "a b"; allowed: {_MODEL}',
            f"models[1]: given 5; allowed: {_MODEL}",
            f"models[2]: given nothing; allowed: {_MODEL}",
        ],
    ),
    Refused("tags-list", text(tags='["a"]'), [f'tags: given ["a"]; allowed: {_OBJECT}']),
    Refused(
        "tags-entries",
        text(tags='{ "a!" = "x", b = 5, c = null, d = "é" }'),
        [
            f'tags.a! (name): given "a!"; allowed: {_TAG_KEY}',
            f"tags.b: given 5; allowed: {_TAG_VALUE}",
            f"tags.c: given nothing; allowed: {_TAG_VALUE}",
            f'tags.d: given "é"; allowed: {_TAG_VALUE}',
        ],
    ),
    Refused("budget-text", text(budget='"5"'), [f'budget: given "5"; allowed: {_OBJECT}']),
    Refused(
        "budget-number",
        text(budget="{ month_usd = 500, day_usd = 0.5 }"),
        [
            f"budget.day_usd: given 0.5; allowed: {_USD}",
            f"budget.month_usd: given 500; allowed: {_USD}",
        ],
    ),
    Refused(
        "budget-decimals",
        text(budget='{ month_usd = "0.0000000000001", day_usd = "1,000" }'),
        [
            f'budget.day_usd: given "1,000"; allowed: {_USD}',
            f'budget.month_usd: given "0.0000000000001"; allowed: {_USD}',
        ],
    ),
    Refused(
        "budget-sign",
        text(budget='{ month_usd = "-5", day_usd = "05" }'),
        [
            f'budget.day_usd: given "05"; allowed: {_USD}',
            f'budget.month_usd: given "-5"; allowed: {_USD}',
        ],
    ),
    Refused(
        "budget-mode",
        text(budget='{ mode = "firm" }'),
        ['budget.mode: given "firm"; allowed: "hard", "soft" or "observe"'],
    ),
    Refused(
        "app-budget-mode",
        app("budget = { mode = true }"),
        ['apps.web.budget.mode: given true; allowed: "hard", "soft" or "observe"'],
    ),
    Refused("limits-list", text(limits="[]"), [f"limits: given []; allowed: {_OBJECT}"]),
    Refused(
        "limits-values",
        text(
            limits="{ requests_per_minute = 0, requests_per_day = -5, "
            'tokens_per_minute = 1.5, concurrent_requests = "5" }'
        ),
        [
            f'limits.concurrent_requests: given "5"; allowed: {_COUNT}',
            f"limits.requests_per_day: given -5; allowed: {_COUNT}",
            f"limits.requests_per_minute: given 0; allowed: {_COUNT}",
            f"limits.tokens_per_minute: given 1.5; allowed: {_COUNT}",
        ],
    ),
    Refused(
        "limits-high",
        text(limits="{ requests_per_day = 1000000000, tokens_per_minute = 1e12 }"),
        [
            f"limits.requests_per_day: given 1000000000; allowed: {_COUNT}",
            f"limits.tokens_per_minute: given 1000000000000; allowed: {_COUNT}",
        ],
    ),
    Refused(
        "max-tokens",
        text(max_tokens="{ default = 0, maximum = true }"),
        [
            f"max_tokens.default: given 0; allowed: {_COUNT}",
            f"max_tokens.maximum: given true; allowed: {_COUNT}",
        ],
    ),
    Refused(
        "max-tokens-modes",
        text(max_tokens='{ clamp = "true", count = "words" }'),
        [
            'max_tokens.clamp: given "true"; allowed: true or false',
            'max_tokens.count: given "words"; allowed: "auto", "bytes" or "exact"',
        ],
    ),
    Refused("shards-none", text(shards="0"), [f"shards: given 0; allowed: {_SHARDS}"]),
    Refused("shards-many", text(shards="65"), [f"shards: given 65; allowed: {_SHARDS}"]),
    Refused("shards-text", text(shards='"8"'), [f'shards: given "8"; allowed: {_SHARDS}']),
    Refused("shards-half", text(shards="1.5"), [f"shards: given 1.5; allowed: {_SHARDS}"]),
    Refused(
        "model-arns-list",
        text(model_arns='["a"]'),
        [f'model_arns: given ["a"]; allowed: {_OBJECT}'],
    ),
    Refused(
        "model-arns",
        text(
            model_arns='{ "arn:aws:bedrock:us-east-1:111122223333:foundation-model/m" = "m", '
            '"arn:aws:bedrock:us-east-1:111122223333:provisioned-model/p1" = "amazon.*" }'
        ),
        [
            "model_arns.arn:aws:bedrock:us-east-1:111122223333:foundation-model/m (name): "
            'given "arn:aws:bedrock:us-east-1:111122223333:foundation-model/m"; '
            f"allowed: {_MODEL_ARN}",
            "model_arns.arn:aws:bedrock:us-east-1:111122223333:provisioned-model/p1: "
            f'given "amazon.*"; allowed: {_MODEL_ID}',
        ],
    ),
    Refused(
        "prices-empty",
        text(prices='{ "a.b" = {}, "c.d" = { global = {} }, "e.f" = { global = { flex = {} } } }'),
        [
            f"prices.a.b: given {{}}; allowed: {_NOT_EMPTY}",
            f"prices.c.d.global: given {{}}; allowed: {_NOT_EMPTY}",
            f"prices.e.f.global.flex: given {{}}; allowed: {_NOT_EMPTY}",
        ],
    ),
    Refused(
        "prices-names",
        text(prices='{ "a b" = { local = { fast = { image = "1" } } } }'),
        [
            f'prices.a b (name): given "a b"; allowed: {_MODEL_ID}',
            'prices.a b.local (name): given "local"; allowed: '
            '"in_region", "in_region/<region>", "geo/<area>" or "global"',
            'prices.a b.local.fast (name): given "fast"; allowed: '
            '"default", "batch", "flex" or "priority"',
            f"prices.a b.local.fast.image: given an unknown key; allowed: {_RATE_KEYS}",
        ],
    ),
    Refused(
        "prices-values",
        text(
            prices='{ m = { "geo/us" = { default = { input = 3, output = "0.0000001", '
            'long_context = { input = "-1" }, units = { "Image" = 1, search = "0.01" } } } } }'
        ),
        [
            f"prices.m.geo/us.default.input: given 3; allowed: {_PRICE}",
            f'prices.m.geo/us.default.long_context.input: given "-1"; allowed: {_PRICE}',
            f"prices.m.geo/us.default.long_context.threshold: given nothing; allowed: {_COUNT}",
            f'prices.m.geo/us.default.output: given "0.0000001"; allowed: {_PRICE}',
            'prices.m.geo/us.default.units.Image (name): given "Image"; '
            'allowed: the name of a unit, such as "image"',
            f"prices.m.geo/us.default.units.Image: given 1; allowed: {_USD}",
        ],
    ),
    Refused(
        "unpriced",
        text(unpriced='{ input = "1" }'),
        [f"unpriced.output: given nothing; allowed: {_PRICE}"],
    ),
    Refused(
        "unpriced-text",
        text(unpriced='"1"'),
        [f'unpriced: given "1"; allowed: {_OBJECT}'],
    ),
    Refused(
        "max-tokens-order",
        text(max_tokens="{ default = 200, maximum = 100 }"),
        ["max_tokens.default: given 200; allowed: at most max_tokens.maximum, which is 100"],
    ),
    Refused(
        "max-tokens-of-tier",
        text(max_tokens="{ maximum = 512 }"),
        ["max_tokens.default: given 1024; allowed: at most max_tokens.maximum, which is 512"],
    ),
    Refused(
        "orders-in-notation",
        text(
            limits="{ requests_per_minute = 1e3, requests_per_day = 9.99e2 }",
            shards="8",
            budget='{ month_usd = "10", day_usd = "10.000000000001" }',
        ),
        [
            'budget.day_usd: given "10.000000000001"; '
            "allowed: at most the month's budget, which is 10",
            "limits.requests_per_minute: given 1000; "
            "allowed: at most requests_per_day, which is 999",
        ],
    ),
    Refused(
        "profile-of-denied-base",
        text(
            models='["us.amazon.nova-*"]',
            deny_models='["amazon.nova-lite-*"]',
            apps="{ web = { inference_profiles = { "
            'lite = { model = "us.amazon.nova-lite-v1:0" } } } }',
        ),
        [
            "apps.web.inference_profiles.lite.model: given "
            '"us.amazon.nova-lite-v1:0"; allowed: a model that models allow and deny_models do not'
        ],
    ),
    Refused(
        "max-tokens-tier",
        text(max_tokens="{ default = 5000 }"),
        ["max_tokens.default: given 5000; allowed: at most max_tokens.maximum, which is 4096"],
    ),
    Refused(
        "apps-empty",
        text(apps="{}"),
        ["apps: given {}; allowed: an object with at least one entry"],
    ),
    Refused(
        "apps-list",
        text(apps='["web"]'),
        ['apps: given ["web"]; allowed: an object with at least one entry'],
    ),
    Refused(
        "app-name",
        text(apps="{ Web = {} }"),
        [
            'apps.Web (name): given "Web"; allowed: '
            "a name of at most 63 lower-case letters, digits, _ and - that starts with a letter"
        ],
    ),
    Refused(
        "app-text",
        text(apps='{ web = "x" }'),
        [f'apps.web: given "x"; allowed: {_OBJECT}'],
    ),
    Refused(
        "app-null",
        text(apps="{ web = null }"),
        [f"apps.web: given nothing; allowed: {_OBJECT}"],
    ),
    Refused(
        "app-values",
        app('status = "off", budget = { day_usd = 1 }, limits = { requests_per_day = "1" }'),
        [
            f"apps.web.budget.day_usd: given 1; allowed: {_USD}",
            f'apps.web.limits.requests_per_day: given "1"; allowed: {_COUNT}',
            f'apps.web.status: given "off"; allowed: {_STATUS}',
        ],
    ),
    Refused(
        "app-tags",
        app("tags = { a = 1 }"),
        [f"apps.web.tags.a: given 1; allowed: {_TAG_VALUE}"],
    ),
    Refused(
        "keys-list",
        app('keys = ["primary"]'),
        [f'apps.web.keys: given ["primary"]; allowed: {_OBJECT}'],
    ),
    Refused(
        "key-name",
        app("keys = { Primary = {} }"),
        [
            'apps.web.keys.Primary (name): given "Primary"; allowed: '
            "a name of at most 31 lower-case letters, digits, _ and - that starts with a letter"
        ],
    ),
    Refused(
        "key-text",
        app('keys = { primary = "secret" }'),
        [f'apps.web.keys.primary: given "secret"; allowed: {_OBJECT}'],
    ),
    Refused(
        "key-expires",
        app(
            'keys = { a = { expires = "2027-02-30" }, b = { expires = "31.12.2027" }, '
            'c = { expires = "2027-13-01" }, d = { expires = 2027 } }'
        ),
        [
            f'apps.web.keys.a.expires: given "2027-02-30"; allowed: {_DATE}',
            f'apps.web.keys.b.expires: given "31.12.2027"; allowed: {_DATE}',
            f'apps.web.keys.c.expires: given "2027-13-01"; allowed: {_DATE}',
            f"apps.web.keys.d.expires: given 2027; allowed: {_DATE}",
        ],
    ),
    Refused(
        "key-status",
        app('keys = { primary = { status = "revoked" } }'),
        [f'apps.web.keys.primary.status: given "revoked"; allowed: {_STATUS}'],
    ),
    # Terraform evaluates expressions and keeps the last of two equal keys in an object, so
    # these are refused by Python alone.
    Refused(
        "expression",
        text(name="1 + 2"),
        [f"file: given something other than a literal value on line 1; allowed: {_LITERALS}"],
        terraform_too=False,
    ),
    Refused(
        "template",
        text(name='"${"x"}"'),
        [f"file: given a template instead of plain text on line 1; allowed: {_LITERALS}"],
        terraform_too=False,
    ),
    Refused(
        "key-twice",
        text(budget='{ day_usd = "1", day_usd = "2" }'),
        [f'file: given the key "day_usd" a second time on line 7; allowed: {_LITERALS}'],
        terraform_too=False,
    ),
]

# Both refuse the file as a whole; only Python can say where.
UNREADABLE = {
    "syntax": ("name = \n", "text that is not valid HCL on line 1"),
    "block": ('name = "a"\nbudget {\n}\n', "a block on line 2"),
    "variable": ("name = foo\n", "something other than a literal value on line 1"),
    "function": ('name = upper("a")\n', "something other than a literal value on line 1"),
    "twice": ('name = "a"\nname = "b"\n', 'the key "name" a second time on line 2'),
    "escape": ('name = "\\q"\n', "the unknown escape \\q on line 1"),
}

VALID = {
    "least": text(),
    "no-tier-defaults": text(tier='"free"'),
    "nulls": text(status="null", tags="null", budget="null", limits="null", max_tokens="null"),
    "more-nulls": text(
        model_arns="null",
        prices="null",
        unpriced="null",
        shards="null",
        max_tokens="{ clamp = null, count = null }",
    ),
    "contract": text(
        budget='{ mode = "soft" }',
        shards="64",
        max_tokens='{ clamp = true, count = "exact" }',
        model_arns='{ "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1" '
        '= "us.amazon.nova-lite-v1:0", '
        '"arn:aws:bedrock:eu-west-1:111122223333:custom-model-deployment/x_9" '
        '= "amazon.nova-pro-v1:0" }',
        prices="""{
    "amazon.nova-lite-v1:0" = {
      in_region             = { default = { input = "0.05", output = "0.2" } }
      "in_region/eu-west-1" = { flex = { cache_read = "0.01" } }
      "geo/us"              = {
        priority = {
          cache_write_5m = "1"
          cache_write_1h = "1.25"
          long_context   = { threshold = 200000, input = "6", output = "22.5" }
          units          = { image = "0.060000000001" }
        }
      }
    }
    "amazon.titan-embed-text-v2:0" = { global = { batch = { input = "0.01" } } }
  }""",
        unpriced='{ input = "20", output = "100.5" }',
        apps='{ web = { budget = { day_usd = "1", mode = "soft" } } }',
    ),
    "own-fields": text(
        status='"suspended"',
        tags='{ Team = "search", "cost:center" = "" }',
        budget='{ month_usd = "0.000000000001", mode = "hard" }',
        limits="{ requests_per_minute = 6e2, requests_per_day = 10000.0 }",
        max_tokens="{ maximum = 2048 }",
    ),
    "terms-of-the-tier": text(tier='"resold"'),
    "terms-of-its-own": text(tier='"resold"', markup='"0"', alert_thresholds="[]"),
    "placement-nulls": text(
        isolation="null",
        silo="null",
        deny_models="null",
        markup="null",
        guardrail="null",
        alert_thresholds="null",
        retention_minutes="null",
        own_kms_key="null",
        system_preamble="null",
        teams="null",
        allow_fields="null",
        model_limits="null",
        apps="{ web = { inference_profiles = null } }",
    ),
    "silo": text(
        isolation='"silo"',
        silo=SILO,
        deny_models='["*premier*"]',
        guardrail='{ id = "gr1", version = "DRAFT" }',
        alert_thresholds="[1, 99, 1000]",
        retention_minutes="5",
        own_kms_key="true",
        apps="{ web = { inference_profiles = {} } }",
    ),
    "context": text(
        system_preamble='"Answer <briefly> & \\"well\\".\\n\\tCite documents: äöü."',
        teams='["search", "support-2"]',
        model_limits='{ "anthropic.claude-*" = { tokens_per_minute = 200000 }, '
        '"us.*" = { concurrent_requests = 2, requests_per_day = null } }',
        allow_fields='["seed", "a.b_c", "anthropic_beta:x-2026-01-01", "tools:notes_20261101"]',
    ),
    "numbers-at-their-bounds": text(
        budget='{ month_usd = "5.0", day_usd = "5.00" }',
        limits="{ requests_per_minute = 5, requests_per_day = 5 }",
        max_tokens="{ default = 5, maximum = 5 }",
        apps='{ web = { budget = { month_usd = "1", day_usd = "1" } } }',
    ),
    "less-than-the-tiers-day": text(
        budget='{ month_usd = "5" }', limits="{ requests_per_day = 5 }"
    ),
    "denied-in-part": text(
        models='["amazon.nova-*", "us.anthropic.*"]',
        deny_models='["*anthropic*", "amazon.titan-*"]',
    ),
    "longest-preamble": text(system_preamble=f'"{"é" * 4000}"'),
    "shortest-preamble": text(system_preamble='"!"', teams="[]"),
    "prepared-for-silo": text(silo=SILO, apps=PROFILES),
    "offboarded": text(
        status='"offboarded"',
        apps=PROFILES.replace("web = {", "web = { keys = { primary = {} }"),
    ),
    "profiles": text(deny_models='["us.*"]', retention_minutes="1440", apps=PROFILES),
    "unicode": text(name='"R&D <Zürich> \\"e\\u0301\\" $${x} %%{y} \\\\ \\U0001F600"'),
    "many-apps": text(
        apps="""{
  zeta  = { keys = { b = { expires = "2028-02-29" }, a = { status = "suspended" } } }
  alpha = {
    status = "suspended"
    tags   = { ApplicationID = "alpha" }
    budget = { day_usd = "5" }
    limits = { concurrent_requests = 2 }
    keys   = null
  }
}"""
    ),
}
