"""What the chat dialects say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.fields import as_number
from tollgate.domain.models import UnsupportedModelId, is_tenant_arn, resolve_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.entry.http import Request

# Converse's names of the images that it takes, by media type.
IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}


class Conversation:
    """Messages as Converse has them: system text apart, roles that alternate, documents by name."""

    def __init__(self) -> None:
        self.system: list[dict[str, Any]] = []
        self.turns: list[dict[str, Any]] = []
        self._documents = 0

    def add(self, role: str, blocks: list[dict[str, Any]]) -> None:
        """What one side says next; several messages of one side in a row are one turn."""
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(blocks)
        else:
            self.turns.append({"role": role, "content": blocks})

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
