"""A job's request: a Converse body with its model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.exchanges import request
from tests.fakes.world import NOVA_LITE
from tollgate.dialects.jobs.request import parse_chat
from tollgate.domain.errors import InvalidRequestError

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def test_a_job_is_a_converse_request_with_its_model() -> None:
    body = {"model": NOVA_LITE, "messages": HELLO, "inferenceConfig": {"maxTokens": 50}}

    parsed = parse_chat(request({**body, "system": "Be brief."}))

    assert (parsed.is_streamed, parsed.notes) == (False, ())
    call = parsed.call
    assert (call.model, call.max_tokens, call.dialect) == (NOVA_LITE, 50, "jobs.chat")
    assert call.body == {"messages": HELLO, "system": [{"text": "Be brief."}]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": None}, "model is null; allowed is a string"),
        ({"model": ""}, "model is empty; GET /v1/models lists the models"),
        ({"messages": []}, "messages is empty"),
        ({"guardrailConfig": {}}, "unknown key 'guardrailConfig'"),
        ({"serviceTier": {"type": "flex"}}, "unknown key 'serviceTier'"),
    ],
)
def test_a_bad_body_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        parse_chat(request({"model": NOVA_LITE, "messages": HELLO, **fields}))
