"""The times of a job and of its message are one relation, in Terraform and Python alike."""

from __future__ import annotations

import re

from tests.contract import hcl
from tollgate.domain.jobs import (
    MAX_RECEIVES,
    QUEUE_SECONDS,
    RETRY_SECONDS,
    RUN_SECONDS,
    VISIBILITY_SECONDS,
)
from tollgate.services.jobs import SUBMIT_LEASE_SECONDS
from tollgate.services.leases import LEASE_SECONDS, RENEW_SECONDS
from tollgate_stream.handler import MODEL_SECONDS

STREAM = hcl.functions()["stream"]
LEAST_PAUSE, MOST_PAUSE = RETRY_SECONDS


def test_terraform_plans_what_the_product_goes_by() -> None:
    planned = hcl.locals_of("modules/streaming")
    assert planned["visibility_timeout_seconds"] == VISIBILITY_SECONDS
    assert planned["max_receive_count"] == MAX_RECEIVES
    # What Terraform's own test finds in the plan, made of these.
    case = (hcl.ROOT / "modules/streaming/tests/streaming.tftest.hcl").read_text("utf-8")
    found = re.search(r"visibility_timeout_seconds == (\d+) .*maxReceiveCount == (\d+)", case)
    assert found is not None
    assert [int(number) for number in found.groups()] == [VISIBILITY_SECONDS, MAX_RECEIVES]


def test_lambda_takes_the_queue() -> None:
    assert STREAM["timeout_seconds"] <= VISIBILITY_SECONDS


def test_a_process_that_dies_costs_a_job_that_was_taken_in_half_its_time_one_delivery() -> None:
    assert 2 * VISIBILITY_SECONDS <= QUEUE_SECONDS


def test_what_failed_comes_back_long_before_the_deadline_and_until_it() -> None:
    assert 10 <= LEAST_PAUSE < MOST_PAUSE <= 30
    assert MOST_PAUSE < VISIBILITY_SECONDS
    assert MAX_RECEIVES >= 5
    assert MAX_RECEIVES * LEAST_PAUSE >= QUEUE_SECONDS


def test_a_queued_job_has_its_hold_until_its_producer_renews_it() -> None:
    # A job that is claimed at its last moment has so much left until the first renewal in its call.
    assert SUBMIT_LEASE_SECONDS - QUEUE_SECONDS > RENEW_SECONDS
    assert 3 * RENEW_SECONDS <= LEASE_SECONDS


def test_a_claimed_job_is_lost_only_once_nobody_runs_it() -> None:
    assert MODEL_SECONDS < STREAM["timeout_seconds"] < RUN_SECONDS
    # A message outlives its job, and not the other way round.
    retention = hcl.locals_of("modules/streaming")["message_retention_seconds"]
    assert retention > QUEUE_SECONDS + VISIBILITY_SECONDS


def test_the_function_takes_one_message_at_a_time_and_says_which_failed() -> None:
    (source,) = [
        block["aws_lambda_event_source_mapping"]["queue"]
        for block in hcl.load("modules/function")["resource"]
        if "aws_lambda_event_source_mapping" in block
    ]
    assert source["batch_size"] == 1
    assert source["function_response_types"] == ["ReportBatchItemFailures"]


def test_the_producer_may_delay_its_messages_and_no_others() -> None:
    (statement,) = [s for s in STREAM["statements"] if s["sid"] == "DelayFailedJobs"]
    assert statement["actions"] == ["sqs:ChangeMessageVisibility"]
    assert statement["resources"] == ["${module.streaming.jobs_queue_arn}"]
