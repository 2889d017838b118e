"""Asks @cloud-copilot/iam-simulate, in Node.js, what policies allow and whether AWS knows them.

Unlike tests/policy/evaluator.py, which asks about every imaginable case, it knows AWS's own list of
actions, resource types and condition keys, and refuses a request that AWS could not get.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.build import node_tools
from scripts.build.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PROGRAM = Path(__file__).with_name("iam.mjs")
UNAVAILABLE = node_tools.not_installed(ROOT)

Document = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One authorization that AWS asks for.

    `policies` are the names of those of the principal; `resource_policy` is that of the resource:
    who a role trusts, or a key. `account` is the one that the resource is in.
    """

    principal: str
    action: str
    resource: str
    account: str
    context: Mapping[str, Any] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    resource_policy: Document | None = None


@dataclass(frozen=True)
class Decision:
    """What came out, the grants that say so (policy, Sid, resource), and the context or error."""

    result: str
    used: frozenset[tuple[str, str, str]]
    reason: str

    @property
    def is_allowed(self) -> bool:
        """Whether AWS would let the request through."""
        return self.result == "Allowed"

    @property
    def is_error(self) -> bool:
        """Whether AWS could not get such a request, or could not read a policy."""
        return self.result == "error"


def decide(policies: Mapping[str, Document], requests: Sequence[Request]) -> list[Decision]:
    """The decision of each request, in their order."""
    answer = _ask(policies, requests=[asdict(request) for request in requests])
    return [
        Decision(decision["result"], frozenset(map(tuple, decision["used"])), decision["reason"])
        for decision in answer["decisions"]
    ]


def problems(policies: Mapping[str, Document]) -> dict[str, list[str]]:
    """What AWS's lists say against each policy, by its name; those without a problem are left out.

    An action that does not exist, a resource that no action of the statement takes, an action that
    takes none of its resources, a condition on a key that the action does not know.
    """
    found: dict[str, list[str]] = _ask(policies, lint=list(policies))["problems"]
    return {name: told for name, told in found.items() if told}


def _ask(policies: Mapping[str, Document], **asked: Iterable[Any]) -> dict[str, Any]:
    told = subprocess.run(
        ["node", str(_PROGRAM), str(ROOT / node_tools.FOLDER)],
        input=json.dumps({"policies": policies, **asked}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer
