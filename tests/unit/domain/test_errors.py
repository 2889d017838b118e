"""What every refusal and failure carries."""

from __future__ import annotations

import pytest

from tollgate.domain.errors import (
    MOST_MESSAGE,
    ConflictError,
    NotFoundError,
    RateExceededError,
    TollgateError,
    UnreadableError,
    not_called,
)


def test_an_error_says_what_it_is_and_nothing_that_was_not_said() -> None:
    error = NotFoundError("no such job")

    assert (error.http_status, error.code, error.message) == (404, "not_found", "no such job")
    assert str(error) == "no such job"
    assert (error.details, error.retry_after, error.may_be_billed) == ({}, None, False)
    assert (error.request_id, error.upstream_code) == (None, None)


def test_a_code_of_its_own_is_one_errors_and_not_its_kinds() -> None:
    error = RateExceededError(
        "too many", code="tokens_per_minute_exceeded", details={"limit": 5}, retry_after=7
    )

    assert (error.code, RateExceededError.code) == ("tokens_per_minute_exceeded", "rate_exceeded")
    assert (error.http_status, error.details, error.retry_after) == (429, {"limit": 5}, 7)


@pytest.mark.parametrize(
    ("length", "end"), [(MOST_MESSAGE - 1, "m"), (MOST_MESSAGE, "m"), (MOST_MESSAGE + 1, "…")]
)
def test_a_message_that_is_cut_says_so(length: int, end: str) -> None:
    shown = ConflictError("m" * length).message

    assert shown == ("m" * min(length, MOST_MESSAGE)).ljust(length, end)


@pytest.mark.parametrize(("given", "what"), [((), "cannot be read"), (("is odd",), "is odd")])
def test_an_answer_that_cannot_be_handed_on_is_charged(given: tuple[str, ...], what: str) -> None:
    error = UnreadableError(*given)

    assert (error.http_status, error.code) == (502, "upstream_unreadable")
    assert error.may_be_billed is True
    assert error.message == (
        f"the model's answer {what}; the call is charged, and the same again is a second one"
    )


def test_a_failure_before_the_call_cost_nothing() -> None:
    error = not_called()

    assert (error.http_status, error.code, error.may_be_billed) == (500, TollgateError.code, False)
    assert error.message == (
        "the gateway failed before it called the model, and nothing was charged; report the "
        "request id if it persists"
    )
