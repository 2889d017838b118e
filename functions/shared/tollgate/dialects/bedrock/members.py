"""The members of a Converse request that the gateway knows, at every level.

They are those of Bedrock's service model but for what it lets a caller choose beyond a chat:
locations in S3, which would be read with the gateway's rights, stored prompts, and tools that run
at the provider or come and go within a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate.dialects.fields import check_keys, wrong_type

# A document of the caller's own, whose members mean nothing to Bedrock, or are known elsewhere.
ANYTHING = "*"
# Each member with the members of its own, None where it is no object, nor a list of objects.
Members = Mapping[str, Any]

_BYTES: Members = {"bytes": None}
_TEXT: Members = {"text": None}
_MARK: Members = {"ttl": None, "type": None}
_CITED: Members = {"enabled": None}
_PART: Members = {"documentIndex": None, "end": None, "start": None}
_FAILED: Members = {"message": None}

_IMAGE: Members = {"error": _FAILED, "format": None, "source": _BYTES}
_VIDEO: Members = {"format": None, "source": _BYTES}
_DOCUMENT: Members = {
    "citations": _CITED,
    "context": None,
    "format": None,
    "name": None,
    "source": {"bytes": None, "content": _TEXT, "text": None},
}
_FOUND: Members = {"citations": _CITED, "content": _TEXT, "source": None, "title": None}
_GUARDED: Members = {
    "image": {"format": None, "source": _BYTES},
    "text": {"qualifiers": None, "text": None},
}
_CITATION: Members = {
    "location": {
        "documentChar": _PART,
        "documentChunk": _PART,
        "documentPage": _PART,
        "searchResultLocation": {"end": None, "searchResultIndex": None, "start": None},
        "web": {"domain": None, "url": None},
    },
    "source": None,
    "sourceContent": _TEXT,
    "title": None,
}

MESSAGE: Members = {
    "content": {
        "audio": {"error": _FAILED, "format": None, "source": _BYTES},
        "cachePoint": _MARK,
        "citationsContent": {"citations": _CITATION, "content": _TEXT},
        "document": _DOCUMENT,
        "guardContent": _GUARDED,
        "image": _IMAGE,
        "reasoningContent": {
            "reasoningText": {"signature": None, "text": None},
            "redactedContent": None,
        },
        "searchResult": _FOUND,
        "text": None,
        "toolResult": {
            "content": {
                "document": _DOCUMENT,
                "image": _IMAGE,
                "json": ANYTHING,
                "searchResult": _FOUND,
                "text": None,
                "video": _VIDEO,
            },
            "status": None,
            "toolUseId": None,
        },
        "toolUse": {"input": ANYTHING, "name": None, "toolUseId": None},
        "video": _VIDEO,
    },
    "role": None,
}
TOOL_CONFIG: Members = {
    "toolChoice": {"any": {}, "auto": {}, "tool": {"name": None}},
    "tools": {
        "cachePoint": _MARK,
        # Refused where a call is bounded, with the reason.
        "systemTool": {"name": None},
        "toolSpec": {
            "description": None,
            "inputSchema": {"json": ANYTHING},
            "name": None,
            "strict": None,
        },
    },
}
CONVERSE: Members = {
    "additionalModelRequestFields": ANYTHING,
    "additionalModelResponseFieldPaths": None,
    # Refused whatever it says: guardrails are set by the tenant's policy.
    "guardrailConfig": ANYTHING,
    "inferenceConfig": {
        "maxTokens": None,
        "stopSequences": None,
        "temperature": None,
        "topP": None,
    },
    "messages": MESSAGE,
    "outputConfig": {
        "effort": None,
        "textFormat": {
            "structure": {"jsonSchema": {"description": None, "name": None, "schema": None}},
            "type": None,
        },
    },
    "performanceConfig": {"latency": None},
    "requestMetadata": ANYTHING,
    "serviceTier": {"type": None},
    "system": {"cachePoint": _MARK, "guardContent": _GUARDED, "text": None},
    "toolConfig": TOOL_CONFIG,
}


def check_members(value: object, known: Members | str | None, place: str) -> None:
    """Raise InvalidRequestError for the first member in a value that its place does not know.

    A list is known by what its entries are. What is no object is left to Bedrock to judge.
    """
    if known == ANYTHING:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_members(item, known, f"{place}[{index}]")
    elif isinstance(value, dict):
        if not isinstance(known, Mapping):
            raise wrong_type(place, value, "no object")
        check_keys(value, tuple(known), place)
        for name, item in value.items():
            check_members(item, known[name], f"{place}.{name}")
