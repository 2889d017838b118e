"""Structured logs and metrics. Never keys, prompts or completions."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

_Handler = TypeVar("_Handler", bound="Callable[..., Any]")

# The service's name and the log level come from POWERTOOLS_* variables set by Terraform.
logger = Logger()
metrics = Metrics(namespace="Tollgate")

# Lambda's runtime logs what any library says at INFO, such as where the SDK found credentials.
for _library in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(_library).setLevel(logging.WARNING)


def flush_metrics() -> None:
    """Print what a request has measured.

    A line that cannot be made or written fails no request: the answer may be paid for.
    """
    if not metrics.metric_set:
        return
    try:
        metrics.flush_metrics()
    except Exception:
        logger.exception("metrics not written")
        metrics.clear_metrics()


def measured(handler: _Handler) -> _Handler:
    """A handler whose metrics are printed at its end, however it ends."""

    @wraps(handler)
    def measuring(event: Any, context: Any) -> Any:  # noqa: ANN401 - the handler's own
        try:
            return handler(event, context)
        finally:
            flush_metrics()

    return cast("_Handler", measuring)
