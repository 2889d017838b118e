"""The answer of a job's start."""

from __future__ import annotations

from tollgate.dialects.jobs.answer import started_body


def test_a_started_job_is_named() -> None:
    assert started_body("j-1") == {"id": "j-1", "status": "queued"}
