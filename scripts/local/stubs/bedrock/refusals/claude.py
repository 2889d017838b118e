"""What Claude's models do not take: settings that exclude each other, thinking, and betas."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST_THINKING_TOKENS = 1024
INTERLEAVED = "interleaved-thinking-2025-05-14"
BETAS = frozenset(
    (
        INTERLEAVED,
        "compact-2026-01-12",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "output-128k-2025-02-19",
        "structured-outputs-2025-11-13",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    )
)
_LEAST_TOP_P = 0.95
_VERSION = re.compile(r"anthropic\.claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_NO_VERSION = (0, 0)
# From these versions on.
_THINKS = (3, 7)
_ONE_SAMPLER = (4, 1)
_DECIDES_ITSELF = (4, 6)
_TAKES_NO_BUDGET = (4, 7)
_TAKES_NO_SAMPLER = (4, 7)
# Named after a number that says less than it can do.
_NEWEST = ("anthropic.claude-mythos",)


@dataclass(frozen=True)
class Settings:
    """What a request sets, read from Converse's members or from a native body's."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    forces_tool: bool = False
    thinking: Mapping[str, Any] = field(default_factory=dict)
    betas: Sequence[object] = ()

    @classmethod
    def of_converse(cls, request: Mapping[str, Any]) -> Settings:
        """Those of a Converse request; the provider's own come before Converse's."""
        fields = request.get("additionalModelRequestFields") or {}
        inference = request.get("inferenceConfig") or {}
        choice = (request.get("toolConfig") or {}).get("toolChoice") or {}
        return cls(
            max_tokens=inference.get("maxTokens"),
            temperature=fields.get("temperature", inference.get("temperature")),
            top_p=fields.get("top_p", inference.get("topP")),
            top_k=fields.get("top_k"),
            forces_tool=bool(choice.keys() & {"any", "tool"}),
            thinking=_thinking(fields),
            betas=fields.get("anthropic_beta") or (),
        )

    @classmethod
    def of_native(cls, body: Mapping[str, Any]) -> Settings:
        """Those of a native body."""
        return cls(
            max_tokens=body.get("max_tokens"),
            temperature=body.get("temperature"),
            top_p=body.get("top_p"),
            top_k=body.get("top_k"),
            forces_tool=(body.get("tool_choice") or {}).get("type") in ("any", "tool"),
            thinking=_thinking(body),
            betas=body.get("anthropic_beta") or (),
        )


def check(settings: Settings, model_id: str) -> None:
    """Check the settings of a request to a model of Claude's."""
    version = version_of(model_id)
    if not isinstance(settings.betas, list | tuple) or not BETAS.issuperset(settings.betas):
        raise invalid("invalid beta flag")
    if version >= _ONE_SAMPLER and None not in (settings.temperature, settings.top_p):
        raise invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one."
        )
    if version >= _TAKES_NO_SAMPLER:
        for name in ("temperature", "top_p", "top_k"):
            if getattr(settings, name) not in (None, 1):
                raise invalid(f"`{name}` is deprecated for this model.")
    if settings.thinking.get("type", "disabled") != "disabled":
        _check_thinking(settings, version)


def version_of(model_id: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) where the id has none."""
    if model_id.startswith(_NEWEST):
        return _TAKES_NO_BUDGET
    match = _VERSION.match(model_id)
    return (int(match[1]), int(match[2] or 0)) if match else _NO_VERSION


def _thinking(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    thinking = fields.get("thinking") or fields.get("reasoning_config") or {}
    if not isinstance(thinking, dict):
        raise invalid("thinking: Input should be an object")
    return thinking


def _check_thinking(settings: Settings, version: tuple[int, int]) -> None:
    kind = settings.thinking["type"]
    if kind not in ("enabled", "adaptive"):
        raise invalid("thinking.type: Input should be 'enabled', 'adaptive' or 'disabled'")
    if version < _THINKS:
        raise invalid("thinking: Extra inputs are not permitted")
    if kind == "adaptive" and version < _DECIDES_ITSELF:
        raise invalid("adaptive thinking is not supported on this model")
    if kind == "enabled":
        _check_budget(settings, version)
    if settings.temperature not in (None, 1):
        raise invalid(
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
        )
    if settings.top_p is not None and settings.top_p < _LEAST_TOP_P:
        raise invalid(
            f"`top_p` must be greater than or equal to {_LEAST_TOP_P} or unset when thinking is "
            "enabled or in adaptive mode."
        )
    if settings.top_k is not None:
        raise invalid("`top_k` must be unset when thinking is enabled or in adaptive mode.")
    if settings.forces_tool:
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_budget(settings: Settings, version: tuple[int, int]) -> None:
    if version >= _TAKES_NO_BUDGET:
        raise invalid(
            '"thinking.type.enabled" is not supported for this model. Use '
            '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        )
    budget = settings.thinking.get("budget_tokens")
    if type(budget) is not int or budget < LEAST_THINKING_TOKENS:
        raise invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to "
            f"{LEAST_THINKING_TOKENS}"
        )
    if INTERLEAVED in settings.betas and version >= (4, 0):
        return
    if settings.max_tokens is not None and budget >= settings.max_tokens:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
