"""What the chat dialects say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.fields import as_number, wrong_choice
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.models import UnsupportedModelId, is_tenant_arn, resolve_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.entry.http import Request

# Converse's names of the images that it takes, by media type.
IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}


class Conversation:
    """Messages as Converse has them: system text apart, roles that alternate, documents by name.

    Bedrock refuses blank texts, and cache points that follow nothing: both are left out.
    """

    def __init__(self) -> None:
        self.system: list[dict[str, Any]] = []
        self.turns: list[dict[str, Any]] = []
        self._documents = 0

    def add(self, role: str, blocks: Sequence[dict[str, Any]], place: str) -> None:
        """What one side says next; several messages of one side in a row are one turn.

        Raises InvalidRequestError where that is nothing, or where the assistant begins.
        """
        content = without_blanks(blocks)
        if not content:
            raise InvalidRequestError(f"{place} is blank; allowed is text, or other content")
        if not self.turns and role != "user":
            raise InvalidRequestError(f"{place} begins the conversation; allowed is the role user")
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(content)
        else:
            self.turns.append({"role": role, "content": content})

    def instruct(self, blocks: Sequence[dict[str, Any]]) -> None:
        """What the system says next."""
        self.system.extend(without_blanks(blocks))

    def mark(self, point: dict[str, Any]) -> None:
        """Cache all that was said so far."""
        content = self.turns[-1]["content"]
        content[:] = without_blanks([*content, point])

    def check(self) -> None:
        """Raise InvalidRequestError for a conversation that Bedrock refuses as a whole."""
        if not self.turns:
            raise InvalidRequestError("messages has no turn of the role user")
        for turn in self.turns:
            kinds = {kind for block in turn["content"] for kind in block}
            if "document" in kinds and "text" not in kinds:
                raise InvalidRequestError(
                    "messages has a document with no text beside it; add a text to its message"
                )

    def next_document(self) -> str:
        """A name for a document, as each of a request must have its own.

        Bedrock advises neutral ones: a model may take a title for an instruction.
        """
        self._documents += 1
        return f"document {self._documents}"

    @property
    def has_tools(self) -> bool:
        """Whether tools were used in it."""
        return any(
            "toolUse" in block or "toolResult" in block
            for turn in self.turns
            for block in turn["content"]
        )


def without_blanks(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks without blank texts, and without cache points that no content comes before."""
    kept: list[dict[str, Any]] = []
    for block in blocks:
        is_blank = "text" in block and not block["text"].strip()
        if is_blank or ("cachePoint" in block and (not kept or "cachePoint" in kept[-1])):
            continue
        kept.append(block)
    return kept


def object_schema(schema: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The schema of a tool's input, which Bedrock wants to be of an object in so many words.

    Raises InvalidRequestError for one of anything else.
    """
    kind = schema.get("type", "object")
    if kind != "object" and (not isinstance(kind, list) or "object" not in kind):
        raise wrong_choice(f"{place}.type", kind, ("object",))
    return {**(schema or {"properties": {}}), "type": "object"}


def base_model_of(model: str) -> str | None:
    """The base model id behind an id; empty for an ARN of the account's own.

    None for what is no model's id at all: admission refuses that and says what may be meant, which
    is more help than what a request for such a model has wrong besides.
    """
    try:
        return resolve_model(model).model_id
    except UnsupportedModelId:
        return "" if is_tenant_arn(model) else None


def members(request: Request) -> dict[str, Any]:
    """The members of a body; to these APIs null is the same as nothing."""
    return {name: value for name, value in request.json_object().items() if value is not None}


def sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """`temperature` and `top_p` of a request in Converse's names."""
    inference: dict[str, Any] = {}
    if "temperature" in given:
        inference["temperature"] = as_number(given["temperature"], "temperature", low=0, high=1)
    if "top_p" in given:
        inference["topP"] = as_number(given["top_p"], "top_p", low=0, high=1)
    return inference
