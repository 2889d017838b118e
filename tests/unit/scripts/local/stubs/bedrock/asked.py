"""Requests that the Bedrock stub's rules are tried with, and what it says of them."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.catalogue import Catalogue, Target
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.requests import resolve, validate
from scripts.local.stubs.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOGUE = Catalogue.from_price_book()
NOVA = "amazon.nova-lite-v1:0"
SONNET_3_7 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
SONNET_4 = "us.anthropic.claude-sonnet-4-20250514-v1:0"
HAIKU_4_5 = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET_4_6 = "us.anthropic.claude-sonnet-4-6"
OPUS_4_8 = "us.anthropic.claude-opus-4-8"
LLAMA = "meta.llama3-8b-instruct-v1:0"
PICTURE = base64.b64decode(picture("x"))


def target(model_id: str) -> Target:
    return resolve(CATALOGUE, model_id)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int, size: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack("!II", width, height)
    return head.ljust(size, b"\0")


def text(said: str = "Hi") -> dict[str, Any]:
    return {"text": said}


def image(data: bytes = png(8000, 1), kind: str = "png") -> dict[str, Any]:
    return {"image": {"format": kind, "source": {"bytes": encoded(data)}}}


def document(name: str = "report", data: bytes = b"%PDF") -> dict[str, Any]:
    return {"document": {"format": "pdf", "name": name, "source": {"bytes": encoded(data)}}}


def use(identifier: str = "t1") -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identifier, "name": "now", "input": {}}}


def result(identifier: str = "t1", *content: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": identifier, "content": [*content]}}


def point(**more: str) -> dict[str, Any]:
    return {"cachePoint": {"type": "default", **more}}


def turns(*contents: list[Any]) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": blocks} for n, blocks in enumerate(contents)]


def tools(*more: Any, schema: Any = None, **choice: Any) -> dict[str, Any]:
    spec = {"name": "now", "inputSchema": {"json": schema or {"type": "object"}}}
    return {"toolConfig": {"tools": [{"toolSpec": spec}, *more], **choice}}


def fields(**more: Any) -> dict[str, Any]:
    return {"additionalModelRequestFields": more}


def thinking(budget: int | None = 1024, most: int = 2000, **more: Any) -> dict[str, Any]:
    kind = {"type": "adaptive"} if budget is None else {"type": "enabled", "budget_tokens": budget}
    return {
        "inferenceConfig": {"maxTokens": most, **more},
        **fields(thinking=kind),
    }


def told(change: Mapping[str, Any], model_id: str) -> str | None:
    """What a Converse request is refused with; None where it is taken."""
    try:
        validate({"messages": turns([text()]), **change}, target(model_id))
    except ServiceError as error:
        assert (error.code, error.status) == ("ValidationException", 400)
        return str(error)
    return None
