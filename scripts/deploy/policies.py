"""What a tenant's policy says, and what changes in it, as Markdown for a reviewer.

Of a policy everything may be shown but the fields of ``_HIDDEN``. What a tenant's file says is
somebody's text: it stands in code spans that it cannot leave.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_HIDDEN = ("external_id",)
# Known to AWS alone, so a policy that is made from the tenant's file does not have them.
_COMPUTED = re.compile(r"kms_key_arn|apps\..+\.inference_profiles\..+\.arn")
# Of a longer value, such as a preamble, the file's own difference shows the rest.
_LONGEST_VALUE = 300
# Nothing that this matches is markup, a mention or a link.
_PLAIN = re.compile(r"[0-9][0-9.,:+-]*|[a-z][a-z0-9-]*")


def visible(text: str) -> str:
    """Text of bounded length in which every character can be seen, on one line."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"


def plain(text: str) -> str:
    """A figure, date or word as it is, and whatever else stands in its place as a code span."""
    return text if _PLAIN.fullmatch(text) else code(text)


def cell(text: str) -> str:
    """A code span within a table, whose cells end at a bar wherever it stands."""
    return code(text).replace("|", "\\|")


def tagged(text: str) -> str:
    """Text within HTML, where nothing is Markdown and code spans are none."""
    return text if _PLAIN.fullmatch(text) else f"<code>{html.escape(visible(text))}</code>"


def code(text: str) -> str:
    """Text as a code span: nothing in it is Markdown, HTML or a line's end."""
    # A span has to have something in it.
    shown = visible(text) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest or shown != shown.strip() else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def facts(policy: Mapping[str, Any]) -> Iterator[str]:
    """What there is to know of a new tenant: who it is, and what it may spend, ask for and call."""
    who = [code(policy[field]) for field in ("name", "kind", "cost_center") if policy.get(field)]
    yield f"name: {', '.join(who)}"
    yield f"tier: {code(policy.get('tier', ''))}"
    if policy.get("business_unit"):
        yield f"business unit: {code(policy['business_unit'])}"
    yield f"budget: {_budget(policy)}"
    yield f"limits: {_limits(policy)}"
    for pattern, limits in sorted((policy.get("model_limits") or {}).items()):
        yield f"limits of {code(pattern)}: {_limits({'limits': limits})}"
    yield f"models: {_codes(policy.get('models', []))}"
    if policy.get("deny_models"):
        yield f"never: {_codes(policy['deny_models'])}"
    if policy.get("status", "active") != "active":
        yield f"status: {code(policy['status'])}"
    yield from (_app(*app) for app in sorted(policy.get("apps", {}).items()))


def _app(app_id: str, app: Mapping[str, Any]) -> str:
    return f"app {code(app_id)}: budget {_budget(app)}; limits {_limits(app)}"


def _budget(owner: Mapping[str, Any]) -> str:
    budget = owner.get("budget") or {}
    names = {"month_usd": "a month", "day_usd": "a day"}
    amounts = [
        f"${plain(str(budget[key]))} {name}" for key, name in names.items() if budget.get(key)
    ]
    return f"{', '.join(amounts)}, {code(budget.get('mode', 'hard'))}" if amounts else "none"


def _limits(owner: Mapping[str, Any]) -> str:
    limits = owner.get("limits") or {}
    return (
        ", ".join(
            f"{_count(value)} {' '.join(map(plain, name.split('_')))}"
            for name, value in limits.items()
            if value is not None
        )
        or "none"
    )


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else code(str(value))


def _codes(values: Iterable[str]) -> str:
    return ", ".join(map(code, values)) or "none"


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], *, is_computed: bool
) -> Iterator[str]:
    """A line for each field whose value changes; without ``is_computed`` not those of AWS.

    An app that comes or goes is one line.
    """
    earlier, later = before.get("apps", {}), after.get("apps", {})
    yield from (f"add {_app(*app)}" for app in sorted(later.items()) if app[0] not in earlier)
    yield from (f"remove app {code(app_id)}" for app_id in sorted(earlier) if app_id not in later)
    kept = earlier.keys() & later.keys()
    old_fields, new_fields = _fields(before, kept), _fields(after, kept)
    for path in sorted({*old_fields, *new_fields}):
        if not is_computed and _COMPUTED.fullmatch(path):
            continue
        old, new = old_fields.get(path), new_fields.get(path)
        if old == new or (_is_nothing(old) and _is_nothing(new)):
            continue
        is_hidden = path.rpartition(".")[2] in _HIDDEN
        shown = "changed" if is_hidden else f"{_shown(old)} → {_shown(new)}"
        yield f"policy {code(path)}: {shown}"


def _shown(value: object) -> str:
    return "nothing" if _is_nothing(value) else code(json.dumps(value, ensure_ascii=False))


def _is_nothing(value: object) -> bool:
    return value is None or value in ([], {})


def _fields(policy: Mapping[str, Any], apps: Iterable[str]) -> dict[str, object]:
    """A policy's fields by dotted path, with no other apps than these."""
    kept = {app_id: policy["apps"][app_id] for app_id in apps}
    return dict(_flat({**policy, "apps": kept}, ""))


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    """An empty object has no fields, so it is the same as one that is absent."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value
