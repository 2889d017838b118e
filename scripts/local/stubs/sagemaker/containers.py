"""Containers behind the SageMaker stub's endpoints: one for each shape of a body.

    {"inputs": "...", "parameters": {"max_new_tokens": 20, "details": true}}    text
    {"messages": [...], "max_tokens": 20}                                       chat, with `usage`
    {"text_inputs": "..." or ["..."], "mode": "embedding"}                      embeddings

Whatever a server is known to take for the maximum, or for a wish for several answers, counts
wherever it stands: the largest maximum, and all answers. A message may have parts of text and of
images by URL, each of which is as many tokens as a large one.

A stream comes as server-sent events, or with `[stub:lines]` in the text as lines of JSON; a
container that is not asked to stream answers at once.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.language import TOKENS_PER_MESSAGE, answer_to, count_tokens, vector
from scripts.local.stubs.sagemaker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scripts.local.stubs.directions import Directions

DEFAULT_MAX_TOKENS = 100
DIMENSIONS = 16
IMAGE_TOKENS = 16_384
"""What a server of a model that sees makes of a large image."""
MAXIMA = ("max_completion_tokens", "max_gen_len", "max_length", "max_new_tokens", "max_tokens")
MOST_TOKENS = 131_072
MOST_ANSWERS = 128
ANSWERS = ("best_of", "n", "num_return_sequences")
_AS_LINES = "[stub:lines]"
_STOP_WORDS = {"end_turn": "eos_token", "max_tokens": "length", "stop_sequence": "stop_sequence"}


class Container:
    """One request to a container: what it asks for, and how it is answered."""

    def __init__(self, body: Mapping[str, Any], prompt: str, input_tokens: int) -> None:
        self.body = body
        self.prompt = prompt
        self.input_tokens = input_tokens
        self.streams = body.get("stream") is True
        self.most = max(self._counts(MAXIMA), default=DEFAULT_MAX_TOKENS)
        self.answers = math.prod(self._counts(ANSWERS))
        self._made: int | None = None
        if self.most > MOST_TOKENS or self.answers > MOST_ANSWERS:
            raise refused(f"at most {MOST_TOKENS} tokens and {MOST_ANSWERS} answers")

    @property
    def settings(self) -> Mapping[str, Any]:
        """Where the body has its settings."""
        return self.body

    def generate(self, directions: Directions) -> tuple[list[str], str]:
        """What it says in pieces of one token each, and why it ends, in Converse's words."""
        stop = self.settings.get("stop") or ()
        sequences = (stop,) if isinstance(stop, str) else tuple(stop)
        return answer_to(self.prompt, directions, self.most, sequences)

    def generate_most(self) -> tuple[list[str], str]:
        """The longest answer that it may give, of tokens as short as they can be, in one piece."""
        self._made = self.most
        return ["a" * self.most], "max_tokens"

    def made(self, pieces: Sequence[str]) -> int:
        """The tokens of all answers, each of these pieces."""
        return self.answers * (len(pieces) if self._made is None else self._made)

    def _counts(self, names: Sequence[str]) -> Iterator[int]:
        parameters = self.body.get("parameters")
        for place in (self.body, parameters if isinstance(parameters, dict) else {}):
            for name in names:
                value = place.get(name)
                if value is None:
                    continue
                if type(value) is not int or value < 1:
                    raise refused(f"{name}: invalid type, expected a number of 1 or more")
                yield value

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
            "generated_tokens": self.made(pieces),
            "input_length": self.input_tokens,
            "seed": None,
        }

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        answer: dict[str, Any] = {"generated_text": "".join(pieces)}
        if self.settings.get("details"):
            answer["details"] = self._details(pieces, reason)
        return [answer] * self.answers

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        for index, piece in enumerate(pieces, start=1):
            is_last = index == len(pieces)
            token = {"id": index, "text": piece, "logprob": -0.5, "special": False}
            for _ in range(1, self.answers):
                yield self.event({"index": index, "token": token}), 0
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
            "completion_tokens": self.made(pieces),
            "total_tokens": self.input_tokens + self.made(pieces),
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
            "choices": [{**choice, "index": index} for index in range(self.answers)],
            "usage": self._usage(pieces),
        }

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield b": a comment keeps the connection open\n\n", 0
        for piece in pieces:
            choice = {"delta": {"role": "assistant", "content": piece}, "finish_reason": None}
            for index in range(1, self.answers):
                yield self.event({"choices": [{**choice, "index": index}]}), 0
            yield self.event({"choices": [{**choice, "index": 0}]}), 1
        end = {"index": 0, "delta": {}, "finish_reason": _STOP_WORDS[reason]}
        yield self.event({"choices": [end]}), 0
        if self.body.get("stream_options", {}).get("include_usage"):
            yield self.event({"choices": [], "usage": self._usage(pieces)}), 0
        yield b"data: [DONE]\n\n", 0


class _Embeddings(Container):
    def generate(self, directions: Directions) -> tuple[list[str], str]:
        return [], "end_turn"

    def generate_most(self) -> tuple[list[str], str]:
        self._made = 0
        return [], "end_turn"

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        texts = self.body["text_inputs"]
        if isinstance(texts, str):
            return {"embedding": vector(texts, DIMENSIONS)}
        return {"embedding": [vector(text, DIMENSIONS) for text in texts]}

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield json.dumps(self.answer(pieces, reason)).encode(), 0


def container_for(body: Mapping[str, Any], count: Callable[[str], int] = count_tokens) -> Container:
    """What reads such a body, and has so many tokens in a text.

    Raises ServiceError, as the container does, for a wrong one.
    """
    if _leaks(body) or _leaks(body.get("parameters")):
        raise refused("unknown field `InferenceComponentName`")
    messages = body.get("messages")
    if isinstance(messages, list) and messages:
        said = [_parts(message) for message in messages]
        tokens = sum(count(text) + IMAGE_TOKENS * images for text, images in said)
        return _Messages(body, said[-1][0], tokens + TOKENS_PER_MESSAGE * len(said))
    given = body.get("text_inputs")
    if given and body.get("mode") == "embedding":
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise refused("text_inputs: a text or a list of texts")
        joined = "\n".join(texts)
        return _Embeddings(body, joined, count(joined))
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs:
        raise refused("missing field `inputs`")
    return _Text(body, inputs, count(inputs))


def _parts(message: object) -> tuple[str, int]:
    """The text of a message, and how many images it has."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content, 0
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise refused("messages: each has a role and a content that is text or parts")
    parts: list[dict[str, Any]] = content
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    images = sum(1 for part in parts if "image_url" in part or part.get("type") == "image_url")
    return "\n".join(texts), images


def _leaks(place: object) -> bool:
    return isinstance(place, dict) and "InferenceComponentName" in place
