"""Structured logs and metrics. Never keys, prompts or completions."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

# The service's name and the log level come from POWERTOOLS_* variables set by Terraform.
logger = Logger()
metrics = Metrics(namespace="Tollgate")
