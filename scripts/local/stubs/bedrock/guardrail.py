"""Guardrails of the Bedrock stub: they let everything pass, and charge for what they read.

A guardrail charges each of its policies by units of 1,000 characters begun, of what goes in and of
what comes out; word filters and patterns are free. The trace says so where the call asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

UNIT_CHARACTERS = 1000
PAID_POLICIES = ("contentPolicyUnits", "topicPolicyUnits", "sensitiveInformationPolicyUnits")
FREE_POLICIES = ("sensitiveInformationPolicyFreeUnits", "wordPolicyUnits")

_NATIVE_CONFIG = "amazon-bedrock-guardrailConfig"
_IDENTIFIER = re.compile(r"[a-z0-9-]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/.+")
_VERSION = re.compile(r"[1-9][0-9]{0,7}|DRAFT")


@dataclass(frozen=True)
class Read:
    """How many characters a guardrail reads, of what goes in and of what comes out."""

    given: int
    made: int

    @property
    def charged(self) -> dict[str, int]:
        """All units that a call is charged, by policy; those that cost nothing among them."""
        units = [_usage(self.given), _usage(self.made)]
        return {policy: sum(one[policy] for one in units) for policy in units[0]}


@dataclass(frozen=True)
class Guardrail:
    """The guardrail that a call passes."""

    identifier: str
    is_traced: bool

    def converse_trace(self, read: Read) -> dict[str, Any]:
        """The member `trace` of a Converse response; empty where it is not asked for."""
        if not self.is_traced:
            return {}
        assessments = {self.identifier: [_assessment(read.made)]}
        guardrail = {
            "inputAssessment": {self.identifier: _assessment(read.given)},
            "outputAssessments": assessments,
        }
        return {"trace": {"guardrail": guardrail}}

    def native_input(self, read: Read) -> dict[str, Any]:
        """What a native answer, or the first chunk of its stream, says of the input."""
        return self._native({"input": {self.identifier: _assessment(read.given)}})

    def native_output(self, read: Read) -> dict[str, Any]:
        """What a native answer, or the last chunk of its stream, says of the output."""
        return self._native({"outputs": [{self.identifier: _assessment(read.made)}]})

    def _native(self, guardrail: Mapping[str, Any]) -> dict[str, Any]:
        trace = {"amazon-bedrock-trace": {"guardrail": guardrail}} if self.is_traced else {}
        return {"amazon-bedrock-guardrailAction": "NONE", **trace}


def of_converse(request: Mapping[str, Any]) -> Guardrail | None:
    """The guardrail of a Converse request; raises ServiceError for a wrong one."""
    config = request.get("guardrailConfig")
    if config is None:
        return None
    traced = config.get("trace") in ("enabled", "enabled_full")
    return _checked(config.get("guardrailIdentifier"), config.get("guardrailVersion"), traced)


def of_headers(headers: Message) -> Guardrail | None:
    """The guardrail of a native call; raises ServiceError for a wrong one."""
    identifier = headers.get("X-Amzn-Bedrock-GuardrailIdentifier")
    version = headers.get("X-Amzn-Bedrock-GuardrailVersion")
    if identifier is None and version is None:
        return None
    traced = headers.get("X-Amzn-Bedrock-Trace") in ("ENABLED", "ENABLED_FULL")
    return _checked(identifier, version, traced)


def narrows(body: Mapping[str, Any]) -> bool:
    """Whether a body says of which part of it the guardrail reads, or lets text out unread."""
    config = body.get("guardrailConfig") or body.get(_NATIVE_CONFIG) or {}
    mode = str(config.get("streamProcessingMode", "sync")).lower()
    return "tagSuffix" in config or mode.startswith("async") or _has_guarded_part(body)


def _has_guarded_part(value: object) -> bool:
    if isinstance(value, dict):
        return "guardContent" in value or any(map(_has_guarded_part, value.values()))
    return isinstance(value, list) and any(map(_has_guarded_part, value))


def _checked(identifier: object, version: object, traced: bool) -> Guardrail:
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        raise invalid("The guardrail identifier or version provided in the request is invalid")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise invalid("The guardrail identifier or version provided in the request is invalid")
    return Guardrail(identifier, traced)


def _assessment(characters: int) -> dict[str, Any]:
    guarded = {"guarded": characters, "total": characters}
    return {
        "invocationMetrics": {
            "guardrailProcessingLatency": 1,
            "usage": _usage(characters),
            "guardrailCoverage": {"textCharacters": guarded},
        }
    }


def _usage(characters: int) -> dict[str, int]:
    units = -(-characters // UNIT_CHARACTERS)
    return dict.fromkeys((*PAID_POLICIES, *FREE_POLICIES), units)
