"""Proxy events and responses: what Lambda can carry, and errors in the caller's dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.openai.errors import refusal
from tollgate.domain.errors import MOST_MESSAGE, ConflictError, InvalidRequestError
from tollgate.entry.http import (
    MAX_DEPTH,
    MAX_RESPONSE_BYTES,
    Request,
    Response,
    answer,
    json_response,
    parse_json,
)

EVENT = {
    "requestContext": {
        "requestId": "gw-1",
        "authorizer": {"tenant_id": "acme", "app_id": "web", "key_id": "web/k", "tier": "pro"},
    }
}


def handler(text: str) -> Any:  # noqa: ANN401 - a function
    def handle(request: Request) -> Response:
        return json_response(request, [text], request_id="call-1", cost=1)

    return handle


@pytest.mark.parametrize("character", ["a", '"', "ü"])
def test_an_answer_that_lambda_carries_is_passed_on(character: str) -> None:
    response = answer(EVENT, handler(character * (MAX_RESPONSE_BYTES // 5)))

    assert response["statusCode"] == 200
    assert len(json.dumps(response, ensure_ascii=False).encode()) <= MAX_RESPONSE_BYTES


@pytest.mark.parametrize(("character", "count"), [("a", 1), ("\n", 3), ("€", 3)])
def test_an_answer_that_lambda_does_not_carry_is_refused(character: str, count: int) -> None:
    response = answer(EVENT, handler(character * (MAX_RESPONSE_BYTES // count)))

    body = json.loads(response["body"])
    assert (response["statusCode"], body["code"]) == (413, "answer_too_large")
    # The call was made: its id is in the ledger, it is charged, and no SDK makes it again.
    assert body["request_id"] == response["headers"]["x-request-id"] == "call-1"
    assert response["headers"]["x-should-retry"] == "false"
    assert "/model/{modelId}/invoke" in body["message"]


def test_a_refusal_is_in_the_callers_dialect() -> None:
    def handle(_: Request) -> Response:
        raise ConflictError("there is one already")

    response = answer(EVENT, handle, refusal)

    error = json.loads(response["body"])["error"]
    assert (error["message"], error["request_id"]) == ("there is one already", "gw-1")
    assert response["headers"]["x-tenant-id"] == "acme"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        (b"\xef\xbb\xbf[]", []),
        (b'"\xf0\x9f\x98\x80"', "\N{GRINNING FACE}"),
        (r'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (r'"\\ud83d"', r"\ud83d"),
    ],
)
def test_json_is_read(text: str | bytes, expected: object) -> None:
    assert parse_json(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": }', "the header is not valid JSON at character 6"),
        ("", "the header is not valid JSON at character 0"),
        (b"\xff", "the header is not valid JSON"),
        (b'"\xed\xa0\xbd"', "the header is not valid JSON"),
        ("[" * 100_000, "the header is not valid JSON"),
        ("9" * 5000, "the header is not valid JSON"),
        ('{"a": -Infinity}', "the header is not valid JSON"),
        (r'"secret \uD83D"', "the header has half of a surrogate pair; allowed is Unicode text"),
        (r'{"\udc00": 1}', "the header has half of a surrogate pair; allowed is Unicode text"),
        ('"\ud800"', "the header has half of a surrogate pair; allowed is Unicode text"),
    ],
)
def test_what_no_model_could_be_sent_is_no_json(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_json(text, "the header")
    assert refused.value.message == message


def nested(levels: int, opens: str, closes: str, inner: str = "") -> str:
    return opens * levels + inner + closes * levels


@pytest.mark.parametrize(
    ("opens", "closes", "inner"),
    [("[", "]", ""), ("[", "]", "1"), ('{"a":', "}", "{}"), ('[0,{"a":', "}]", '"[[["')],
)
def test_json_may_be_as_deep_as_allowed_and_no_deeper(opens: str, closes: str, inner: str) -> None:
    each = opens.count("[") + opens.count("{")
    within = MAX_DEPTH // each - (inner == "{}")

    parse_json(nested(within, opens, closes, inner))
    for levels in (within + 1, 500, 100_000):
        with pytest.raises(InvalidRequestError) as refused:
            parse_json(nested(levels, opens, closes, inner), "the header")
        said = str(refused.value)
        assert said in (
            f"the header is nested more than {MAX_DEPTH} levels deep",
            "the header is not valid JSON",  # deeper than Python itself reads
        )


def test_json_that_is_long_and_not_deep_is_taken() -> None:
    assert len(parse_json(f"[{','.join(['[{}]'] * 500)}]")) == 500
    assert parse_json('"' + "[{" * 500 + '"') == "[{" * 500


@pytest.mark.parametrize(
    "number",
    [
        *(str(2**63), str(-(2**63) - 1), f"1{'0' * 40}", f"{'9' * 309}.5"),
        *("1e400", "-1e309", "1E+400", "1e+0400", "0.001e999"),
    ],
)
def test_a_number_beyond_64_bits_is_refused(number: str) -> None:
    with pytest.raises(InvalidRequestError, match="the body has a number beyond 64 bits"):
        parse_json(f'{{"n": [{number}]}}')


@pytest.mark.parametrize(
    "number",
    [str(2**63 - 1), str(-(2**63)), "1e308", "1E-400", f"{'9' * 30}.5", "0.1", "-0", "12e+7"],
)
def test_any_other_number_is_what_python_reads(number: str) -> None:
    for text in (number, number.encode()):
        assert parse_json(text) == json.loads(number)


def test_digits_within_a_text_are_no_number() -> None:
    said = {"at": "2026-11-30", "text": f"1e999 {'9' * 40} {{[", "n": 7, "x": 0.5}
    assert parse_json(json.dumps(said).encode()) == said


@pytest.mark.parametrize(
    "given",
    ["-1", "1.0", "", "\N{SUPERSCRIPT TWO}", "101", f"{'0' * 18}{'9' * 40}", "9" * 5000],
)
def test_a_number_of_the_query_is_within_its_bounds(given: str) -> None:
    asked = request(query={"wait": given})

    with pytest.raises(InvalidRequestError, match="wait is .* a whole number from 0 to 100"):
        asked.number("wait", default=5, maximum=100)
    assert request(query={"wait": "0100"}).number("wait", default=5, maximum=100) == 100


def test_a_body_that_is_no_unicode_text_is_no_json() -> None:
    event = {**EVENT, "httpMethod": "POST", "resource": "/x", "body": '{"a": "\ud800"}'}

    response = answer(event, lambda given: json_response(given, given.json_object()))

    assert response["statusCode"] == 400
    assert json.loads(response["body"])["message"] == "the body is not valid JSON"


def test_a_message_does_not_grow_with_the_request() -> None:
    refused = InvalidRequestError(f"messages[0].{'k' * 1_000_000} is missing")

    assert len(refused.message) == MOST_MESSAGE + 1
    assert refused.message.startswith("messages[0].kkk")
