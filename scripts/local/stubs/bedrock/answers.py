"""What a model of the Bedrock stub says to a Converse request."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.conversation import last_user_text
from scripts.local.stubs.bedrock.requests import schema_of
from scripts.local.stubs.bedrock.tools import example, tool_tokens, tool_uses
from scripts.local.stubs.directions import without_directions
from scripts.local.stubs.language import answer_to, generate, pieces_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.local.stubs.bedrock.catalogue import Target
    from scripts.local.stubs.calls import Call

_DEFAULT_THOUGHT_TOKENS = 8
_STOP_SEQUENCE_PATH = "/stop_sequence"


@dataclass(frozen=True)
class Answer:
    """What the model said: thoughts and text in pieces of one token each, then tool calls.

    `signature` is what Claude signs its thoughts with, `redacted` thoughts that only it can read;
    `stop_sequence` is where it stopped, told if the request asks for it.
    """

    pieces: Sequence[str]
    stop_reason: str
    tools: Sequence[Mapping[str, Any]] = ()
    thoughts: Sequence[str] = ()
    signature: str | None = None
    redacted: bytes | None = None
    stop_sequence: Mapping[str, Any] | None = None

    @property
    def output_tokens(self) -> int:
        """All tokens of the answer."""
        return len(self.thoughts) + len(self.pieces) + sum(map(tool_tokens, self.tools))

    @property
    def text(self) -> str:
        """The text, without thoughts and tool calls."""
        return "".join(self.pieces)

    @property
    def content(self) -> list[dict[str, Any]]:
        """The content blocks of a buffered response."""
        blocks: list[dict[str, Any]] = []
        if self.redacted is not None:
            data = base64.b64encode(self.redacted).decode()
            blocks.append({"reasoningContent": {"redactedContent": data}})
        elif self.thoughts:
            text = {"text": "".join(self.thoughts)}
            if self.signature is not None:
                text["signature"] = self.signature
            blocks.append({"reasoningContent": {"reasoningText": text}})
        if self.pieces:
            blocks.append({"text": self.text})
        return blocks + [{"toolUse": dict(tool)} for tool in self.tools]

    @property
    def end(self) -> dict[str, Any]:
        """Why it stopped, and what else the request wants to know about that."""
        end: dict[str, Any] = {"stopReason": self.stop_reason}
        if self.stop_sequence is not None:
            end["additionalModelResponseFields"] = dict(self.stop_sequence)
        return end


def chat_answer(call: Call, target: Target) -> Answer:
    """Generate the answer within maxTokens, up to a stop sequence."""
    text = last_user_text(call.request)
    inference = call.request.get("inferenceConfig", {})
    limit = inference.get("maxTokens") or target.model.max_output_tokens
    seed = without_directions(text)
    thoughts = generate(f"thoughts about {seed}", _thought_tokens(call, limit))
    left = None if limit is None else limit - len(thoughts)
    schema = schema_of(call.request)
    if left == 0:
        pieces, reason = [], "max_tokens"
    elif schema is not None:
        said = pieces_of(json.dumps(example(schema, schema)))
        pieces, reason = said[:left], "end_turn" if said[:left] == said else "max_tokens"
    else:
        pieces, reason = answer_to(text, call.directions, left, inference.get("stopSequences", ()))
    is_claude = target.model.model_id.startswith("anthropic.")
    tools = [] if reason in ("stop_sequence", "max_tokens") else tool_uses(call, seed)
    if tools and limit is not None:
        size = len(thoughts) + len(pieces) + sum(map(tool_tokens, tools))
        tools, reason = (tools, reason) if size <= limit else ([], "max_tokens")
    return Answer(
        pieces,
        "tool_use" if tools else reason,
        tools,
        thoughts,
        signature=uuid.uuid5(uuid.NAMESPACE_OID, "".join(thoughts)).hex if is_claude else None,
        redacted="".join(thoughts).encode() if "redacted" in call.directions.values else None,
        stop_sequence=_told_stop_sequence(call.request, pieces, reason) if is_claude else None,
    )


def _thought_tokens(call: Call, limit: int | None) -> int:
    """How many tokens to think for: as directed, or a few where the request turns thinking on."""
    wanted = call.directions.number("think")
    if wanted is None:
        fields = call.request.get("additionalModelRequestFields") or {}
        thinks = any(
            isinstance(said := fields.get(name), str)
            or (isinstance(said, dict) and said.get("type") in ("enabled", "adaptive"))
            for name in ("thinking", "reasoningConfig", "reasoning_effort")
        )
        wanted = _DEFAULT_THOUGHT_TOKENS if thinks or "redacted" in call.directions.values else 0
    return wanted if limit is None else min(wanted, limit)


def _told_stop_sequence(
    request: Mapping[str, Any], pieces: Sequence[str], reason: str
) -> Mapping[str, Any] | None:
    if _STOP_SEQUENCE_PATH not in request.get("additionalModelResponseFieldPaths", ()):
        return None
    if reason != "stop_sequence":
        return {"stop_sequence": None}
    text = "".join(pieces)
    sequences = request["inferenceConfig"]["stopSequences"]
    return {"stop_sequence": next(sequence for sequence in sequences if sequence in text)}
