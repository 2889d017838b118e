"""The rules of tenant files: single values, shapes of objects, and relations between values.

They are data in ``modules/tenant_files/schema.json``, which Terraform reads too. What that data
cannot say is here and in ``modules/tenant_files/rules.tf``: how values relate to each other.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA_FILE = REPOSITORY / "modules" / "tenant_files" / "schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
_RULES: dict[str, Any] = SCHEMA["rules"]


def message(file: str, path: str, value: Any, allowed: str) -> str:  # noqa: ANN401
    """One error: file, key, given and allowed."""
    given = "nothing" if value is None else terraform_json(value)
    return f"{file}: {path}: given {given}; allowed: {allowed}"


def section(value: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401
    """The object under a name, or an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def value_errors(file: str, path: str, value: Any, rule_name: str) -> Iterator[str]:  # noqa: ANN401
    """Check one value against one rule."""
    if not fits(value, rule_name):
        yield message(file, path, value, _RULES[rule_name]["allowed"])


def object_errors(file: str, prefix: str, value: Any, shape_name: str) -> Iterator[str]:  # noqa: ANN401
    """Check an object's own keys and, below it, everything that its shape describes."""
    if not isinstance(value, dict):
        return
    shape = SCHEMA["shapes"][shape_name]
    if "*" in shape:
        shape = dict.fromkeys(value, shape["*"])
    for key in value:
        if key not in shape:
            allowed = ", ".join(sorted(shape))
            yield f"{file}: {prefix}{key}: given an unknown key; allowed: {allowed}"
    for field, spec in shape.items():
        path = f"{prefix}{field}"
        if "name_rule" in spec:
            yield from value_errors(file, f"{path} (name)", field, spec["name_rule"])
        given = value.get(field)
        if given is None and not spec.get("required"):
            continue
        yield from value_errors(file, path, given, spec["rule"])
        yield from _nested_errors(file, path, given, spec)


def tier_errors(file: str, tiers: Mapping[str, Any]) -> Iterator[str]:
    """Check the tiers of an environment."""
    for name, tier in tiers.items():
        path = f"tiers.{name}"
        yield from value_errors(file, f"{path} (name)", name, "tier_name")
        yield from value_errors(file, path, tier, "object")
        yield from object_errors(file, f"{path}.", tier, "tier")
        yield from _order_errors(file, f"{path}.", tier, {})
        yield from _thresholds_errors(file, f"{path}.", tier)


def business_unit_errors(file: str, business_units: Mapping[str, Any]) -> Iterator[str]:
    """Check the business units of an environment."""
    for unit_id, unit in business_units.items():
        path = f"business_units.{unit_id}"
        yield from value_errors(file, f"{path} (name)", unit_id, "business_unit_id")
        yield from value_errors(file, path, unit, "object")
        yield from object_errors(file, f"{path}.", unit, "business_unit")
        yield from _order_errors(file, f"{path}.", unit, {})


def tenant_errors(
    file: str,
    content: Mapping[str, Any],
    tiers: Mapping[str, Any],
    business_units: Collection[str],
    prefix: str | None,
    tenant_ids: Container[str],
) -> Iterator[str]:
    """Check a tenant's file against the shape of a tenant and against what is around it.

    That is its environment's `tiers` and `business_units`, its unit's `prefix`, and the ids of all
    tenants beside it.
    """
    yield from object_errors(file, "", content, "tenant")
    yield from _tier_of_environment_errors(file, content, tiers)
    yield from _business_unit_errors(file, content, business_units)
    yield from _order_errors(file, "", content, tier_of(content, tiers))
    yield from _thresholds_errors(file, "", content)
    yield from _silo_errors(file, content, prefix)
    yield from _teams_errors(file, content, tenant_ids)
    yield from _models_errors(file, content)
    for app_id, app in section(content, "apps").items():
        yield from _order_errors(file, f"apps.{app_id}.", app, {})
        yield from _profiles_errors(file, f"apps.{app_id}.inference_profiles", app, content)


def tier_of(content: Mapping[str, Any], tiers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tier that a file names, or an empty one where there is none."""
    name = content.get("tier")
    return section(tiers, name) if isinstance(name, str) else {}


def terraform_json(value: Any) -> str:  # noqa: ANN401 - any value of a variable file
    """JSON exactly as Terraform's ``jsonencode``: sorted, compact, with <, > and & escaped."""
    if isinstance(value, dict):
        pairs = (f"{_json_string(key)}:{terraform_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(terraform_json(item) for item in value) + "]"
    if isinstance(value, str):
        return _json_string(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return json.dumps(value)


def _json_string(text: str) -> str:
    encoded = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return encoded


def fits(value: Any, rule_name: str) -> bool:  # noqa: ANN401
    """Whether a value keeps a rule."""
    rule = _RULES[rule_name]
    if rule["text"]:
        subject = value if isinstance(value, str) else None
    else:
        subject = None if value is None else terraform_json(value)
    if subject is None or re.fullmatch(rule["pattern"], subject) is None:
        return False
    if "refused" in rule and re.fullmatch(rule["refused"], subject) is not None:
        return False
    return rule_name != "date" or _is_calendar_date(subject)


def _is_calendar_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _nested_errors(file: str, path: str, given: Any, spec: Mapping[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if "shape" in spec:
        yield from object_errors(file, f"{path}.", given, spec["shape"])
    if "item_rule" in spec and isinstance(given, list):
        for index, item in enumerate(given):
            yield from value_errors(file, f"{path}[{index}]", item, spec["item_rule"])
        if spec.get("once"):
            yield from _once_errors(file, path, given)


def _once_errors(file: str, path: str, items: Sequence[Any]) -> Iterator[str]:
    first_by_text: dict[str, int] = {}
    for index, item in enumerate(items):
        first = first_by_text.setdefault(terraform_json(item), index)
        if first != index:
            yield related(file, f"{path}[{index}]", item, "item_once", f"{path}[{first}]")


def related(file: str, path: str, value: Any, relation: str, *details: object) -> str:  # noqa: ANN401
    """One error of a relation between values; `details` are what its words leave open."""
    return message(file, path, value, SCHEMA["relations"][relation] % details)


def _tier_of_environment_errors(
    file: str, content: Mapping[str, Any], tiers: Mapping[str, Any]
) -> Iterator[str]:
    tier = content.get("tier")
    if isinstance(tier, str) and fits(tier, "tier") and tier not in tiers:
        yield related(file, "tier", tier, "tier_exists", ", ".join(sorted(tiers)))


def _business_unit_errors(
    file: str, content: Mapping[str, Any], business_units: Collection[str]
) -> Iterator[str]:
    unit = content.get("business_unit")
    if isinstance(unit, str) and fits(unit, "business_unit") and unit not in business_units:
        names = ", ".join(sorted(business_units)) or "none"
        yield related(file, "business_unit", unit, "business_unit_exists", names)


def _order_errors(file: str, prefix: str, value: Any, tier: Any) -> Iterator[str]:  # noqa: ANN401
    """Check the numbers of which one bounds another; what `value` leaves out is the tier's."""
    for order in SCHEMA["orders"]:
        own, others = section(value, order["section"]), section(tier, order["section"])
        lower = number(order, "lower", own, others if order["inherited"] else {})
        upper = number(order, "upper", own, others)
        if lower is not None and upper is not None and Decimal(lower) > Decimal(upper):
            path = f"{prefix}{order['section']}.{order['lower']}"
            given = lower if _RULES[order["rule"]]["text"] else Decimal(lower)
            yield related(file, path, given, order["relation"], upper)


def number(order: Mapping[str, Any], side: str, *sources: Mapping[str, Any]) -> str | None:
    """The digits of one side of an order, from the first source that has a valid number."""
    values = (source.get(order[side]) for source in sources)
    valid = (value for value in values if fits(value, order["rule"]))
    return next((terraform_json(value).strip('"') for value in valid), None)


def _thresholds_errors(file: str, prefix: str, value: Any) -> Iterator[str]:  # noqa: ANN401
    percents = value.get("alert_thresholds") if isinstance(value, dict) else None
    if not isinstance(percents, list) or not all(fits(item, "percent") for item in percents):
        return
    if any(later <= earlier for earlier, later in itertools.pairwise(percents)):
        yield related(file, f"{prefix}alert_thresholds", percents, "thresholds_order")


def _teams_errors(
    file: str, content: Mapping[str, Any], tenant_ids: Container[str]
) -> Iterator[str]:
    teams = content.get("teams")
    for index, team in enumerate(teams if isinstance(teams, list) else ()):
        if isinstance(team, str) and team in tenant_ids:
            yield related(file, f"teams[{index}]", team, "team_not_tenant")


def _models_errors(file: str, content: Mapping[str, Any]) -> Iterator[str]:
    models = _patterns_of(content, "models")
    # A star of the denied pattern is a text like any other to the denying one, which has to have
    # a star of its own for it.
    if models and all(_is_denied(content, pattern) for pattern in models):
        yield related(file, "deny_models", content["deny_models"], "models_left")
    for model in section(content, "prices"):
        if without_routing(model) != model:
            yield related(file, f"prices.{model} (name)", model, "price_of_model")


def _silo_errors(file: str, content: Mapping[str, Any], prefix: str | None) -> Iterator[str]:
    if content.get("isolation") == "silo" and content.get("silo") is None:
        yield related(file, "silo", None, "silo_of_isolation")
    role_arn = section(content, "silo").get("role_arn")
    if isinstance(role_arn, str) and prefix is not None and _is_of_another_unit(role_arn, prefix):
        yield related(file, "silo.role_arn", role_arn, "silo_role_of_unit", prefix)


def _is_of_another_unit(role_arn: str, prefix: str) -> bool:
    return fits(role_arn, "role_arn") and f":role/tollgate/{prefix}/" not in role_arn


def _profiles_errors(
    file: str,
    path: str,
    app: Any,  # noqa: ANN401 - may be anything that the file gives
    content: Mapping[str, Any],
) -> Iterator[str]:
    profiles = section(app, "inference_profiles")
    if profiles and content.get("isolation") == "silo":
        yield related(file, path, profiles, "profiles_of_pool")
    first_by_model: dict[str, str] = {}
    for name in sorted(profiles):
        model = section(profiles, name).get("model")
        if isinstance(model, str) and fits(model, "model_id"):
            first = first_by_model.setdefault(model, name)
            if first != name:
                yield related(file, f"{path}.{name}.model", model, "profile_model_once", first)
            if not _may_call(content, model):
                yield related(file, f"{path}.{name}.model", model, "profile_model_allowed")
        yield from _profile_tags_errors(file, f"{path}.{name}.tags", profiles[name])


def _may_call(content: Mapping[str, Any], model: str) -> bool:
    return _matches(_patterns_of(content, "models"), model) and not _is_denied(content, model)


def _is_denied(content: Mapping[str, Any], model: str) -> bool:
    """Whether a file denies a model: under its id without a prefix, it is on every routing."""
    denied = _patterns_of(content, "deny_models")
    return _matches(denied, model) or _matches(denied, without_routing(model))


def without_routing(model: str) -> str:
    """The id of a model, or a pattern of ids, without the routing prefix that it may have."""
    return re.sub(rf"^(?:{'|'.join(SCHEMA['routing_prefixes'])})[.]", "", model)


def _patterns_of(content: Mapping[str, Any], name: str) -> list[str]:
    """The valid patterns of a file's list `models` or `deny_models`."""
    patterns = content.get(name)
    return [item for item in patterns if fits(item, "model")] if isinstance(patterns, list) else []


def _matches(patterns: Iterable[str], model: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), model) for pattern in patterns)


def _profile_tags_errors(file: str, path: str, profile: Any) -> Iterator[str]:  # noqa: ANN401
    # IAM compares the keys of tags without regard to case.
    reserved: list[str] = SCHEMA["reserved_profile_tags"]
    first_by_folded: dict[str, str] = {}
    for key in sorted(section(profile, "tags")):
        folded = key.lower()
        name = f"{path}.{key} (name)"
        if folded in reserved or folded.startswith("aws:"):
            yield related(file, name, key, "profile_tag_reserved", ", ".join(reserved))
        first = first_by_folded.setdefault(folded, key)
        if first != key:
            yield related(file, name, key, "profile_tag_once", first)
