"""Make the bucket that Terraform keeps its state in.

``python -m scripts.deploy.bootstrap --env dev``

Reads name and region from the environment's backend file. Everything here is a setting that can be
put again, so a second run brings a bucket that drifted back to what it should be and makes nothing.
Last it tells which of the tenants' models the account can call, as `make model-access` does.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, model_access, next_steps, preflight
from scripts.tenants import files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from scripts.deploy.environments import Backend

# A state is needed again when an apply went wrong, which shows within days, not years.
_OLD_STATE_DAYS = 90
_DEFAULT_REGION = "us-east-1"
_NOT_FOUND = 404


class BootstrapError(Exception):
    """The bucket cannot be made; the message says what was found and what to do."""


def bootstrap(environment: environments.Environment) -> bool:
    """Make the state bucket of ``environment`` and set it up; returns whether it is new.

    Raises PreflightError when AWS does not take the credentials or they are for another account,
    and BootstrapError when the bucket's name is taken by somebody else.
    """
    backend = environment.backend
    preflight.check(environment, state=False)
    client = boto3.client("s3", region_name=backend.region)
    made = _make(client, backend, environment.label(environments.BACKEND_FILE))
    _protect(client, backend)
    return made


def _make(client: S3Client, backend: Backend, file: str) -> bool:
    try:
        client.head_bucket(Bucket=backend.bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND:
            raise BootstrapError(
                f"{file}: bucket: {backend.bucket}: "
                f"{error.response['Error'].get('Code', 'unknown error')}; it is somebody else's, "
                "or these credentials may not see it; bucket names are unique in the world, so "
                "pick another one"
            ) from error
    else:
        return False
    if backend.region == _DEFAULT_REGION:
        client.create_bucket(Bucket=backend.bucket)
    else:
        client.create_bucket(
            Bucket=backend.bucket,
            CreateBucketConfiguration={"LocationConstraint": backend.region},  # type: ignore[typeddict-item]
        )
    return True


def _protect(client: S3Client, backend: Backend) -> None:
    """The state holds what the deployment holds, the tenants' keys included."""
    name = backend.bucket
    client.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )
    client.put_bucket_ownership_controls(
        Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": (
                        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": backend.kms_key_id}
                        if backend.kms_key_id
                        else {"SSEAlgorithm": "AES256"}
                    )
                }
            ]
        },
    )
    client.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-states",
                    "Status": "Enabled",
                    "Filter": {},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_STATE_DAYS},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        },
    )
    client.put_bucket_policy(Bucket=name, Policy=_policy(name, _partition(backend.region)))


def _partition(region: str) -> str:
    return boto3.session.Session().get_partition_for_region(region)


def _policy(bucket: str, partition: str) -> str:
    arn = f"arn:{partition}:s3:::{bucket}"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "DenyWithoutTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn, f"{arn}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    )


def _models(environment: environments.Environment) -> list[str]:
    """What the tenants can call; the bucket is made whether or not anybody knows."""
    try:
        lines, _ = model_access.check(environment)
    except model_access.ModelAccessError as error:
        return [f"{environment.name}: which models tenants can call is not known: {error}"]
    except files.TenantFilesError:
        # `make validate-tenants` says what is wrong with them.
        return []
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.bootstrap", __doc__)
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        made = bootstrap(environment)
    except (BootstrapError, preflight.PreflightError, environments.SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS refused or did not answer: {error}", file=sys.stderr)
        return 1
    verb = "made" if made else "was there already; set up"
    print(f"{options.env}: state bucket {environment.backend.bucket} {verb}")
    for line in _models(environment):
        print(line)
    print(next_steps.after_bootstrap(options.env))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
