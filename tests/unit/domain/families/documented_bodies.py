"""Bodies and additional fields as providers document them and clients send them."""

from __future__ import annotations

from typing import Any

from tollgate.domain.families.claude import BETAS

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"
OSS = "openai.gpt-oss-20b-1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
QWEN_VL = "qwen.qwen3-vl-235b-a22b"
PIXEL = "data:image/png;base64,AAAA"
TOOL = {"name": "look", "description": "Look", "input_schema": {"type": ["object", "null"]}}
FUNCTION = {"name": "look", "parameters": {"properties": {"image": {"type": ["string", "null"]}}}}
MARK = {"type": "ephemeral", "ttl": "1h"}
DOCUMENTED: list[tuple[str, dict[str, Any]]] = [
    (
        CLAUDE,
        {
            "anthropic_version": "bedrock-2023-05-31",
            "anthropic_beta": ["computer-use-2025-01-24", "context-1m-2025-08-07"],
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Be kind.", "cache_control": MARK}],
            "metadata": {"user_id": "u-1"},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "context_management": {
                "edits": [
                    {"type": "clear_thinking_20251015", "keep": "all"},
                    {
                        "type": "clear_tool_uses_20250919",
                        "trigger": {"type": "input_tokens", "value": 30000},
                        "keep": {"type": "tool_uses", "value": 3},
                        "clear_at_least": {"type": "input_tokens", "value": 5000},
                        "exclude_tools": ["look"],
                        "clear_tool_inputs": False,
                    },
                ]
            },
            "output_config": {
                "effort": "high",
                "format": {"type": "json_schema", "schema": {"anything": ["goes"]}},
            },
            "messages": [
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm", "signature": "s"},
                        {"type": "redacted_thinking", "data": "d"},
                        {"type": "text", "text": "I look.", "citations": None},
                        {"type": "tool_use", "id": "t", "name": "look", "input": {"url": "x"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "is_error": False,
                            "cache_control": MARK,
                            "content": [
                                {"type": "text", "text": "A boat"},
                                {"type": "tool_reference", "tool_name": "look"},
                                {
                                    "type": "image",
                                    "source": {
                                        "type": "base64",
                                        "media_type": "image/png",
                                        "data": "AAAA",
                                    },
                                },
                                {
                                    "type": "search_result",
                                    "source": "https://example.com",
                                    "title": "A page",
                                    "content": [{"type": "text", "text": "Words"}],
                                    "citations": {"enabled": True},
                                },
                            ],
                        },
                        {
                            "type": "document",
                            "title": "t",
                            "context": "c",
                            "source": {
                                "type": "content",
                                "content": [{"type": "text", "text": "Words"}],
                            },
                        },
                    ],
                },
            ],
            "tools": [
                {**TOOL, "cache_control": MARK, "strict": True, "defer_loading": True},
                {**TOOL, "type": "custom", "eager_input_streaming": True, "input_examples": [{}]},
                {"type": "bash_20250124", "name": "bash"},
                {"type": "text_editor_20250728", "name": "edit", "max_characters": 9},
                {"type": "memory_20250818", "name": "memory"},
                {
                    "type": "computer_20250124",
                    "name": "computer",
                    "display_width_px": 1024,
                    "display_height_px": 768,
                    "display_number": 1,
                },
            ],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "stop_sequences": ["END"],
            "temperature": 1,
            "top_k": 5,
            "top_p": 1,
        },
    ),
    (
        "anthropic.claude-v2:1",
        {"prompt": "\n\nHuman: Hi\n\nAssistant:", "max_tokens_to_sample": 9, "top_k": 250},
    ),
    (
        NOVA,
        {
            "schemaVersion": "messages-v1",
            "system": [{"text": "Be kind."}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "Hi"},
                        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
                        {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}},
                        {"document": {"format": "pdf", "name": "d", "source": {"bytes": "AAAA"}}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"toolUse": {"toolUseId": "t", "name": "look", "input": {"a": 1}}}],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "toolResult": {
                                "toolUseId": "t",
                                "status": "success",
                                "content": [{"json": {"s3Location": "a word"}}, {"text": "x"}],
                            }
                        }
                    ],
                },
            ],
            "inferenceConfig": {
                "maxTokens": 9,
                "temperature": 0.5,
                "topP": 0.9,
                "topK": 20,
                "stopSequences": ["END"],
            },
            "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"},
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"x": "y"}}}}],
                "toolChoice": {"tool": {"name": "look"}},
            },
        },
    ),
    (
        OSS,
        {
            "model": OSS,
            "messages": [
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "t",
                            "type": "function",
                            "function": {"name": "look", "arguments": "{}"},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "t", "content": "A boat"},
            ],
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"x": "y"}, "strict": True},
            },
            "max_completion_tokens": 9,
            "reasoning_effort": "low",
            "n": 2,
            "logit_bias": {"50256": -100},
            "metadata": {"anything": "goes"},
            "stream": False,
            "stream_options": {"include_usage": True},
        },
    ),
    (
        QWEN_VL,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
                    ],
                }
            ],
            "max_tokens": 9,
            "top_k": 20,
            "enable_thinking": False,
            "chat_template_kwargs": {"enable_thinking": False},
        },
    ),
    (
        "mistral.mistral-large-2407-v1:0",
        {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "safe_prompt": True},
    ),
    (
        "mistral.mistral-7b-instruct-v0:2",
        {"prompt": "Hi", "max_tokens": 9, "top_k": 5, "top_p": 1, "stop": ["END"]},
    ),
    (LLAMA, {"prompt": "Hi", "max_gen_len": 9, "temperature": 0.5, "top_p": 0.9}),
    (
        "cohere.command-r-plus-v1:0",
        {
            "message": "Hi",
            "chat_history": [{"role": "USER", "message": "Ho"}],
            "documents": [{"title": "t", "snippet": "s", "anything": "goes"}],
            "tools": [
                {
                    "name": "look",
                    "description": "d",
                    "parameter_definitions": {"x": {"type": "str"}},
                }
            ],
            "preamble": "Be kind.",
            "max_tokens": 9,
            "k": 5,
            "p": 0.9,
        },
    ),
    (
        "cohere.command-text-v14",
        {"prompt": "Hi", "max_tokens": 9, "num_generations": 2, "return_likelihoods": "NONE"},
    ),
    (
        "ai21.j2-ultra-v1",
        {"prompt": "Hi", "maxTokens": 9, "countPenalty": {"scale": 0, "applyToEmojis": True}},
    ),
    (
        "ai21.jamba-1-5-large-v1:0",
        {"messages": [{"role": "user", "content": "Hi"}], "documents": [{"content": "c"}], "n": 1},
    ),
    (
        "amazon.titan-text-express-v1",
        {"inputText": "Hi", "textGenerationConfig": {"maxTokenCount": 9, "topP": 1}},
    ),
    ("amazon.titan-embed-text-v2:0", {"inputText": "Hi", "dimensions": 256, "normalize": True}),
    (
        "amazon.titan-embed-image-v1",
        {"inputImage": "AAAA", "embeddingConfig": {"outputEmbeddingLength": 256}},
    ),
    ("cohere.embed-english-v3", {"texts": ["a"], "input_type": "clustering", "truncate": "END"}),
    (
        "cohere.embed-v4:0",
        {
            "input_type": "search_document",
            "inputs": [
                {
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "image_url", "image_url": {"url": PIXEL}},
                    ]
                }
            ],
        },
    ),
    (
        "amazon.nova-canvas-v1:0",
        {
            "taskType": "VIRTUAL_TRY_ON",
            "virtualTryOnParams": {
                "sourceImage": "AAAA",
                "referenceImage": "AAAA",
                "maskType": "GARMENT",
                "garmentBasedMask": {
                    "maskShape": "DEFAULT",
                    "garmentClass": "UPPER_BODY",
                    "garmentStyling": {"longSleeveStyle": "SLEEVE_DOWN"},
                },
                "maskExclusions": {"preserveFace": "ON"},
            },
            "imageGenerationConfig": {"numberOfImages": 1, "quality": "premium", "seed": 1},
        },
    ),
    (
        "stability.stable-diffusion-xl-v1",
        {"text_prompts": [{"text": "A boat", "weight": 1}], "steps": 30, "cfg_scale": 10},
    ),
    ("stability.sd3-5-large-v1:0", {"prompt": "A boat", "aspect_ratio": "1:1", "seed": 1}),
]

FIELDS: list[tuple[str, dict[str, Any]]] = [
    (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    (CLAUDE, {"reasoning_config": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5}),
    (CLAUDE, {"anthropic_beta": list(BETAS)}),
    (CLAUDE, {"output_config": {"effort": "high"}}),
    (CLAUDE, {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
    (CLAUDE, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    (NOVA, {"inferenceConfig": {"topK": 1}}),
    ("amazon.nova-2-lite-v1:0", {"reasoningConfig": {"type": "disabled"}}),
    (OSS, {"reasoning_effort": "low", "n": 2}),
    ("mistral.mistral-large-2407-v1:0", {"top_k": 5, "safe_prompt": True}),
    ("cohere.command-r-v1:0", {"k": 5, "p": 0.5, "documents": [{"title": "t"}]}),
    ("deepseek.v3-v1:0", {"chat_template_kwargs": {"thinking": True}}),
    ("zai.glm-4.7", {"thinking": {"type": "disabled"}}),
    ("qwen.qwen3-32b-v1:0", {"enable_thinking": False, "top_k": 20}),
]
