"""Containers behind the SageMaker stub's endpoints: one for each shape of a body.

    {"inputs": "...", "parameters": {"max_new_tokens": 20, "details": true}}    text
    {"messages": [...], "max_tokens": 20}                                       chat, with `usage`
    {"text_inputs": "..." or ["..."], "mode": "embedding"}                      embeddings

A stream comes as server-sent events, or with `[stub:lines]` in the text as lines of JSON; a
container that is not asked to stream answers at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.language import TOKENS_PER_MESSAGE, answer_to, count_tokens, vector
from scripts.local.stubs.sagemaker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.directions import Directions

DEFAULT_MAX_TOKENS = 100
DIMENSIONS = 16
_AS_LINES = "[stub:lines]"
_STOP_WORDS = {"end_turn": "eos_token", "max_tokens": "length", "stop_sequence": "stop_sequence"}


class Container:
    """One request to a container: what it asks for, and how it is answered."""

    def __init__(self, body: Mapping[str, Any], prompt: str, input_tokens: int) -> None:
        self.body = body
        self.prompt = prompt
        self.input_tokens = input_tokens
        self.streams = body.get("stream") is True

    @property
    def settings(self) -> Mapping[str, Any]:
        """Where the body has its settings."""
        return self.body

    def generate(self, directions: Directions) -> tuple[list[str], str]:
        """What it says in pieces of one token each, and why it ends, in Converse's words."""
        most = self.settings.get("max_tokens", self.settings.get("max_new_tokens"))
        stop = self.settings.get("stop") or ()
        sequences = (stop,) if isinstance(stop, str) else tuple(stop)
        return answer_to(self.prompt, directions, most or DEFAULT_MAX_TOKENS, sequences)

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        """The whole answer."""
        raise NotImplementedError

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        """The lines of a stream, each with its output tokens."""
        raise NotImplementedError

    def event(self, document: Mapping[str, Any]) -> bytes:
        """One event of a stream."""
        if _AS_LINES in self.prompt:
            return json.dumps(document, ensure_ascii=False).encode() + b"\n"
        return b"data:" + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


class _Text(Container):
    @property
    def settings(self) -> Mapping[str, Any]:
        parameters = self.body.get("parameters", {})
        return parameters if isinstance(parameters, dict) else {}

    def _details(self, pieces: Sequence[str], reason: str) -> dict[str, Any]:
        return {
            "finish_reason": _STOP_WORDS[reason],
            "generated_tokens": len(pieces),
            "input_length": self.input_tokens,
            "seed": None,
        }

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        answer: dict[str, Any] = {"generated_text": "".join(pieces)}
        if self.settings.get("details"):
            answer["details"] = self._details(pieces, reason)
        return [answer]

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        for index, piece in enumerate(pieces, start=1):
            is_last = index == len(pieces)
            token = {"id": index, "text": piece, "logprob": -0.5, "special": False}
            document = {
                "index": index,
                "token": token,
                "generated_text": "".join(pieces) if is_last else None,
                "details": self._details(pieces, reason) if is_last else None,
            }
            yield self.event(document), 1


class _Messages(Container):
    def _usage(self, pieces: Sequence[str]) -> dict[str, int]:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": len(pieces),
            "total_tokens": self.input_tokens + len(pieces),
        }

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(pieces)},
            "finish_reason": _STOP_WORDS[reason],
        }
        return {
            "object": "chat.completion",
            "model": "stub",
            "choices": [choice],
            "usage": self._usage(pieces),
        }

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield b": a comment keeps the connection open\n\n", 0
        for piece in pieces:
            choice = {"index": 0, "delta": {"role": "assistant", "content": piece}}
            yield self.event({"choices": [{**choice, "finish_reason": None}]}), 1
        end = {"index": 0, "delta": {}, "finish_reason": _STOP_WORDS[reason]}
        yield self.event({"choices": [end]}), 0
        if self.body.get("stream_options", {}).get("include_usage"):
            yield self.event({"choices": [], "usage": self._usage(pieces)}), 0
        yield b"data: [DONE]\n\n", 0


class _Embeddings(Container):
    def generate(self, directions: Directions) -> tuple[list[str], str]:
        return [], "end_turn"

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        texts = self.body["text_inputs"]
        if isinstance(texts, str):
            return {"embedding": vector(texts, DIMENSIONS)}
        return {"embedding": [vector(text, DIMENSIONS) for text in texts]}

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield json.dumps(self.answer(pieces, reason)).encode(), 0


def container_for(body: Mapping[str, Any]) -> Container:
    """What reads such a body. Raises ServiceError, as the container does, for a wrong one."""
    if _leaks(body) or _leaks(body.get("parameters")):
        raise refused("unknown field `InferenceComponentName`")
    messages = body.get("messages")
    if isinstance(messages, list) and messages:
        texts = [message["content"] for message in messages if _is_text(message)]
        if len(texts) < len(messages):
            raise refused("messages: each has a role and a content that is text")
        tokens = sum(map(count_tokens, texts))
        return _Messages(body, texts[-1], tokens + TOKENS_PER_MESSAGE * len(texts))
    given = body.get("text_inputs")
    if given and body.get("mode") == "embedding":
        joined = given if isinstance(given, str) else "\n".join(given)
        return _Embeddings(body, joined, count_tokens(joined))
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs:
        raise refused("missing field `inputs`")
    return _Text(body, inputs, count_tokens(inputs))


def _is_text(message: object) -> bool:
    return isinstance(message, dict) and isinstance(message.get("content"), str)


def _leaks(place: object) -> bool:
    return isinstance(place, dict) and "InferenceComponentName" in place
