"""The words that bodies are made of: what any provider's API has, and values of every kind.

A member has values that mean something to whoever reads it; any member may have an odd one too.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.sagemaker.containers import ANSWERS, MAXIMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PNG = picture("oracle")
PDF = base64.b64encode(b"%PDF-1.4 oracle").decode()
ODD: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    0.5,
    1e300,
    2**53 + 1,
    10**18,
    "",
    "5",
    "high",
    "x" * 300,
    "\u0000",
    [],
    [1],
    [None],
    [[]],
    {},
    {"a": 1},
    {"type": "text", "text": "x"},
    [{"type": "nothing"}],
)
TEXTS: Sequence[str] = (
    "Say something.",
    "word " * 120,
    "😀" * 30,
    "ﷺ" * 20,
    '{"a": [1, 2, {"b": "c"}]}' * 4,
    "漢字かな交じり文" * 10,
    "\u0344\u0344\u0390" * 8,
    "a" * 1500,
)
_COUNTS = (1, 2, 3, 8, 40)
_MOST = (1, 16, 300, 2000, 5000, 20_000, 200_000, 10**9)
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
_CONVERSE_TOOL = {"toolSpec": {"name": "weather", "inputSchema": {"json": _SCHEMA}}}
_CLAUDE_TOOL = {"name": "weather", "input_schema": _SCHEMA}
_OPENAI_TOOL = {"type": "function", "function": {"name": "weather", "parameters": _SCHEMA}}
_SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 4}
_COMPACT = {"type": "compact_20260112"}
_IMAGE = {"format": "png", "source": {"bytes": PNG}}
_DOCUMENT = {"format": "pdf", "name": "file", "source": {"bytes": PDF}}
_STORED = {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/key.png"}}}
_DATA_URL = f"data:image/png;base64,{PNG}"
_IMAGE_URL = {"type": "image_url", "image_url": {"url": _DATA_URL}}

BLOCKS: Sequence[Mapping[str, Any]] = (
    {"text": "more"},
    {"type": "text", "text": "more"},
    {"type": "text", "text": "more", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    {"image": _IMAGE},
    {"image": _STORED},
    {"document": _DOCUMENT},
    {"cachePoint": {"type": "default"}},
    {"cachePoint": {"type": "default", "ttl": "1h"}},
    {"guardContent": {"text": {"text": "only this"}}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/a.png"}},
    _IMAGE_URL,
    {"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}},
    {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
    {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    },
    {"type": "file", "file": {"file_data": _DATA_URL}},
    {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Rome"}}},
    {"toolResult": {"toolUseId": "t1", "content": [{"image": _IMAGE}]}},
    {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
    {"nothing": {"a": 1}},
)

BETAS: Sequence[Any] = (
    ["interleaved-thinking-2025-05-14"],
    ["context-1m-2025-08-07"],
    ["compact-2026-01-12"],
    ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"],
    ["fast-mode-2026-02-01"],
    ["web-search-2025-03-05"],
    "interleaved-thinking-2025-05-14",
    ["nothing-2030-01-01"],
)

_THINKING: Sequence[Any] = (
    {"type": "enabled", "budget_tokens": 1024},
    {"type": "enabled", "budget_tokens": 60_000},
    {"type": "adaptive"},
    {"type": "disabled"},
)
VALUES: Mapping[str, Sequence[Any]] = {
    "additionalModelRequestFields": ({"top_k": 3}, {"n": 4}, {"max_tokens": 20_000}),
    "amazon-bedrock-guardrailConfig": (
        {"tagSuffix": "x1"},
        {"streamProcessingMode": "ASYNCHRONOUS"},
    ),
    "anthropic_beta": BETAS,
    "audio": ({"voice": "alloy", "format": "wav"},),
    "cache_control": ({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}),
    "cachePoint": ({"type": "default"},),
    "container": ("c-1", {"skills": []}),
    "context_management": (
        {"edits": [_COMPACT]},
        {"edits": [{**_COMPACT, "trigger": {"type": "input_tokens", "value": 50_000}}]},
        {"edits": [{"type": "clear_tool_uses_20250919"}]},
    ),
    "dimensions": (256, 1024, 3),
    "documents": (["a text"], [{"title": "a", "snippet": "b"}]),
    "embeddingConfig": ({"outputEmbeddingLength": 256},),
    "embedding_types": (["float"],),
    "guardrailConfig": (
        {"guardrailIdentifier": "other1", "guardrailVersion": "1"},
        {"streamProcessingMode": "async"},
    ),
    "imageGenerationConfig": (
        {"numberOfImages": 3},
        {"numberOfImages": 2, "width": 512, "height": 512, "quality": "premium"},
    ),
    "images": ([PNG], [_DATA_URL, _DATA_URL]),
    "inferenceConfig": (
        {"maxTokens": 20_000},
        {"max_new_tokens": 9000},
        {"maxTokens": 300, "topK": 3},
        {"temperature": 0.5},
    ),
    "inputImage": (PNG,),
    "inputs": (
        "decoy",
        [
            {
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": _DATA_URL}},
                ]
            }
        ],
    ),
    "InferenceComponentName": ("other-component",),
    "input_type": ("search_document", "clustering"),
    "mcp_servers": ([{"type": "url", "url": "http://10.0.0.1", "name": "m"}],),
    "metadata": ({"user_id": "u"},),
    "modalities": (["text", "audio"], ["text"]),
    "model": ("other",),
    "outputConfig": (
        {
            "textFormat": {
                "type": "json_schema",
                "structure": {
                    "jsonSchema": {"name": "a", "schema": '{"type": "object"}' + " " * 900}
                },
            }
        },
    ),
    "output_config": ({"effort": "high"}, {"format": {"type": "json_schema", "schema": _SCHEMA}}),
    "parameters": ({"max_new_tokens": 5000}, {"maxTokens": 300}, {"n": 8}),
    "performanceConfig": ({"latency": "optimized"}, {"latency": "standard"}),
    "prediction": ({"type": "content", "content": "word " * 400},),
    "prompt": ("decoy",),
    "message": ("decoy",),
    "inputText": ("decoy",),
    "preamble": ("decoy",),
    "promptVariables": ({"a": {"text": "b"}},),
    "reasoningConfig": ({"type": "enabled", "maxReasoningEffort": "high"}, {"type": "disabled"}),
    "reasoning_config": _THINKING,
    "reasoning_effort": ("low", "high"),
    "requestMetadata": ({"a": "b"}, {f"k{n}": "v" for n in range(15)}),
    "response_format": ({"type": "text"}, {"type": "json_object"}),
    "serviceTier": ({"type": "priority"}, {"type": "flex"}, {"type": "reserved"}),
    "service_tier": ("priority", "flex", "auto", "fast", "default"),
    "speed": ("fast", "standard"),
    "stop": (["END"], "END"),
    "stream": (True, False),
    "stream_options": ({"include_usage": True}, {}),
    "system": ("Be brief.", [{"text": "Be brief."}], [{"type": "text", "text": "Be brief."}]),
    "messages": (
        [{"role": "user", "content": "decoy"}],
        [{"role": "user", "content": [{"text": "decoy"}]}],
    ),
    "temperature": (0, 0.5, 1),
    "textGenerationConfig": ({"maxTokenCount": 3000}, {"maxTokenCount": 10}),
    "textToImageParams": ({"text": "a boat"},),
    "text_prompts": ([{"text": "a boat"}],),
    "texts": (["a", "b"],),
    "thinking": _THINKING,
    "toolConfig": (
        {"tools": [_CONVERSE_TOOL]},
        {"tools": [_CONVERSE_TOOL, {"cachePoint": {"type": "default"}}]},
        {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        {"tools": [_CONVERSE_TOOL], "toolChoice": {"any": {}}},
    ),
    "tool_config": ({"tools": [_CONVERSE_TOOL]},),
    "tool_choice": ("auto", {"type": "auto"}),
    "tools": (
        [_CLAUDE_TOOL],
        [_OPENAI_TOOL],
        [_SEARCH],
        [_CLAUDE_TOOL, {**_SEARCH, "max_uses": 2}],
        [{"type": "web_search"}],
        [{"type": "code_execution_20250825", "name": "code_execution"}],
        [_CONVERSE_TOOL],
    ),
    "top_k": (5,),
    "web_search_options": ({}, {"search_context_size": "high"}),
    **dict.fromkeys(
        ("n", "num_generations", "numResults", "candidate_count", "candidateCount", *ANSWERS),
        _COUNTS,
    ),
    **dict.fromkeys(("numberOfImages", "samples", "num_images"), _COUNTS),
    **dict.fromkeys(
        ("maxTokens", "maxTokenCount", "max_tokens_to_sample", "max_output_tokens", *MAXIMA), _MOST
    ),
}
# Members that mean something together only, or twice over.
TOGETHER: Sequence[Mapping[str, Any]] = (
    {"anthropic_beta": [BETAS[0][0]], "thinking": _THINKING[1], "tools": [_CLAUDE_TOOL]},
    {"anthropic_beta": [BETAS[0][0]], "thinking": _THINKING[1]},
    {"anthropic_beta": BETAS[2], "context_management": {"edits": [_COMPACT]}},
    {"anthropic_beta": BETAS[4], "speed": "fast"},
    {"max_tokens": 300, "max_completion_tokens": 20_000},
    {"inferenceConfig": {"maxTokens": 300, "max_new_tokens": 9000}},
    {"n": 2, "best_of": 8},
    {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    {"tools": [_OPENAI_TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
)
NAMES: Sequence[str] = sorted(
    {
        *VALUES,
        *registry.MEMBERS,
        "additional_model_fields",
        "embeddingTypes",
        "frequency_penalty",
        "inference_geo",
        "logit_bias",
        "store",
        "truncate",
        "unheard_of",
        "user",
    }
)
# Where a member of another place may be put.
SECTIONS = (
    "additionalModelRequestFields",
    "additional_model_fields",
    "imageGenerationConfig",
    "inferenceConfig",
    "parameters",
    "textGenerationConfig",
)
