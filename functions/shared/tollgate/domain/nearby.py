"""Which of the ids that can be called are nearest to one that cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tollgate.domain.models import GEO_PREFIXES, GLOBAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What of an id is compared, which bounds the work; every real one is shorter.
_COMPARED = 128
# How much of two names must be alike, of 1, and how far a name may stay behind the nearest.
_ALIKE = 0.7
_BEHIND = 0.1
_ROUTING = re.compile(rf"(?:{'|'.join((*GEO_PREFIXES, GLOBAL_PREFIX))})\.")
# Not the dot of a version, as in claude-3.5.
_PROVIDER = re.compile(r"[a-z][a-z0-9]*\.(?=[a-z])")
_VERSION = re.compile(r"(?:-latest)?(?:[-@]20[0-9]{6})?(?:-v[0-9]+)?(?::[0-9]+k?)*$")


def nearest(requested: str, ids: Iterable[str], alike: float = _ALIKE) -> Iterator[str]:
    """The ids of the requested one's name, else of names like it, nearest first; may be none.

    `alike` is how much of two names must be the same, from 0, which every name is, to 1.
    A name is what is left of an id without a client's own prefixes ("bedrock/"), routing, provider
    and version. Ids of one name are in the order of their likeness as a whole.
    """
    # Off the path of calls that are made, so that they do not pay for the import.
    from difflib import SequenceMatcher  # noqa: PLC0415 - as above

    def likeness(text: str, other: str) -> float:
        return SequenceMatcher(None, text, other, autojunk=False).ratio()

    whole = requested.rpartition("/")[2][:_COMPARED].lower()
    name = _name(whole)
    by_name: dict[str, list[str]] = {}
    for model in ids:
        by_name.setdefault(_name(model.lower()), []).append(model)
    names = [name] if name in by_name else list(by_name)
    scores = {other: likeness(name, other) for other in names}
    least = max([alike, *(score - _BEHIND for score in scores.values())])
    for other in sorted(names, key=lambda other: (-scores[other], other)):
        if scores[other] >= least:
            models = by_name[other]
            yield from sorted(models, key=lambda model: (-likeness(whole, model.lower()), model))


def _name(model: str) -> str:
    text = _without(_PROVIDER, _without(_ROUTING, model))
    return _VERSION.sub("", text).replace(".", "-").replace("_", "-")


def _without(beginning: re.Pattern[str], text: str) -> str:
    found = beginning.match(text)
    return text if found is None else text[found.end() :]
