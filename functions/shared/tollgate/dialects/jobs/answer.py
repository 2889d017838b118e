"""Answers of the start of jobs."""

from __future__ import annotations

from typing import Any


def started_body(job_id: str) -> dict[str, Any]:
    """The body of a started job; `GET /v1/jobs/{id}` tells how it goes on."""
    return {"id": job_id, "status": "queued"}
