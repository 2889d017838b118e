"""Environment of the function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what Terraform made, and the region the function runs in.

    The SageMaker endpoints, in JSON by display name, are there where the deployment has any.
    """

    aws_region: str
    accounts_table: str
    tenants_table: str
    sagemaker_endpoints: str | None = None
