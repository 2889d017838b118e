"""Reads the usage types of a bill, by the table in `data/usage_types.json`.

A usage type names region, model, what is counted, service tier and routing, and AWS spells it in
several ways:

    USE1-Claude4.6Sonnet-cache-read-input-token-count-cross-region-global
    USE1-Nova2.0Lite-input-tokens-flex
    USE1-openai.gpt-oss-120b-mantle-input-tokens-standard
    USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units

What is not understood to the last word is None: to guess would be to compare two things that are
not the same, and to find that they agree.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TABLE = Path(__file__).parent / "data" / "usage_types.json"
TOKEN_KINDS = frozenset({"input", "output", "cache_read", "cache_write_5m", "cache_write_1h"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NO_MODEL_WORDS = frozenset({"v", "amazon", "bedrock", "edition", "instruct"})


@dataclass(frozen=True, slots=True)
class UsageType:
    """What a usage type says.

    `prefix` is its region's code, `region` what that stands for (None for a code that the table
    lacks), `model` the model as the bill names it, "" where a product's name says it. `kind` is a
    class of tokens, "image", "search", "guardrail" or "instance_hour"; `routing` is "regional",
    "geo" or "global".
    """

    form: str
    prefix: str
    region: str | None
    model: str
    kind: str
    tier: str = "default"
    routing: str = "regional"
    is_long: bool = False


@cache
def table() -> Mapping[str, Any]:
    """The table as it is in the file, read once per process."""
    document: Mapping[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return document


def read(usage_type: str) -> UsageType | None:
    """Read a usage type; None when it is not understood."""
    for form in _forms():
        match = form.pattern.fullmatch(usage_type)
        if match is None:
            continue
        found = match.groupdict()
        meter = (form.kind, "default", "regional", False)
        if form.kind is None:
            words = _meter(found["meter"])
            if words is None:
                return None
            meter = words
        prefix = found.get("region") or ""
        region = table()["regions"].get(prefix)
        return UsageType(form.name, prefix, region, found.get("model") or "", *meter)  # type: ignore[arg-type]
    return None


def quantity_unit(usage: UsageType, pricing_unit: str) -> int | None:
    """How many tokens, images or hours one unit of the bill is; None for a unit nobody knows."""
    known: int | None = table()["units"].get(pricing_unit.strip().lower())
    if known is None and usage.form == "marketplace":
        return table()["marketplace_units"].get(usage.kind)  # type: ignore[no-any-return]
    return known


def line_class(line_type: str) -> str | None:
    """What a line of this type is: "usage", "tax", "discount or credit"; None when not known."""
    found: str | None = table()["line_types"].get(line_type)
    return found


class ModelNames:
    """Base model ids by the names that offers and bills have for them.

    A name fits a model where both have the same words, whatever their order, and no other model
    has them too. Names that this cannot find are listed in the table.
    """

    def __init__(self, model_ids: Iterable[str]) -> None:
        """Take the base ids of a price book."""
        owners: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for model_id in model_ids:
            provider, _, rest = model_id.partition(".")
            bare = re.sub(r"(-v[0-9]+|-v?[0-9]+:[0-9]+)$", "", rest)
            undated = re.sub(r"-20[0-9]{6}", "", bare)
            for spelled in {model_id, rest, bare, undated, f"{provider}.{bare}"}:
                owners[_name(spelled)].add(model_id)
        self._ids = {name: ids.pop() for name, ids in owners.items() if len(ids) == 1}

    def find(self, name: str) -> str | None:
        """The base model id behind a name, or None."""
        listed: str | None = table()["models"].get(name)
        return listed or self._ids.get(_name(name))


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    pattern: re.Pattern[str]
    kind: str | None


@cache
def _forms() -> tuple[_Form, ...]:
    return tuple(
        _Form(form["name"], re.compile(form["pattern"]), form.get("kind"))
        for form in table()["forms"]
    )


def words_of(text: str) -> list[str]:
    """The words of a name, in lower case: "Claude4.6Sonnet" is claude, 4, 6, sonnet."""
    return [word.lower() for word in _WORD.findall(text)]


def _meter(text: str) -> tuple[str, str, str, bool] | None:
    # What is counted, tier, routing, and whether at the price of long contexts.
    rules = table()
    words = Counter(words_of(re.sub(r"([0-9]+)([hm])(?![a-z])", r"\1-\2", text)))
    for pair in rules["joined_words"]:
        if all(words[word] for word in pair):
            words.subtract(pair)
            words["".join(pair)] += 1
    left = {word for word, count in words.items() if count} - set(rules["noise"])
    tiers = {rules["tiers"][word] for word in left & rules["tiers"].keys()}
    routings = {rules["routings"][word] for word in left & rules["routings"].keys()}
    is_long = bool(left & set(rules["long_context"]))
    left -= rules["tiers"].keys() | rules["routings"].keys() | set(rules["long_context"])
    kind = next((each["kind"] for each in rules["kinds"] if left == set(each["words"])), None)
    if kind is None or len(tiers) > 1 or len(routings) > 1:
        return None
    return kind, *(tiers or {"default"}), *(routings or {"regional"}), is_long


def _name(text: str) -> tuple[str, ...]:
    # "Claude Sonnet 4.6 (Amazon Bedrock Edition)", "Claude 4.6 Sonnet" and the id
    # "anthropic.claude-sonnet-4-6" have the same words, whatever their order.
    words = words_of(re.sub(r"(?<=[0-9])\.0(?![0-9])", "", text))
    return tuple(sorted(word for word in words if word not in _NO_MODEL_WORDS))
