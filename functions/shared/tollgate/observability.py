"""Structured logs and metrics. Never keys, prompts or completions."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

# Service name, namespace and level come from POWERTOOLS_* variables set by Terraform.
logger = Logger()
metrics = Metrics()
