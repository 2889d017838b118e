"""What the queue carries of a job."""

from __future__ import annotations

import json

import pytest

from tollgate.domain.jobs import parse_queue_message, queue_message


def test_a_message_names_tenant_and_job_and_nothing_else() -> None:
    message = queue_message("acme", "job-1")

    # Messages of one deployment are read by the next one.
    assert json.loads(message) == {"tenant_id": "acme", "job_id": "job-1"}
    assert parse_queue_message(message) == ("acme", "job-1")


@pytest.mark.parametrize(
    "message",
    [
        "{}",
        "[]",
        "null",
        '"job-1"',
        '{"tenant_id": "acme"}',
        '{"job_id": "job-1"}',
        '{"tenant_id": "acme", "job_id": 1}',
        '{"tenant_id": null, "job_id": "job-1"}',
        '[{"tenant_id": "acme", "job_id": "job-1"}]',
    ],
)
def test_what_names_no_job_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=r"^the message names no tenant and job$"):
        parse_queue_message(message)


@pytest.mark.parametrize("message", ["", "{", "acme/job-1"])
def test_what_is_no_json_is_refused(message: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_queue_message(message)
