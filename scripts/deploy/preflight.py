"""See whether AWS answers as an environment needs it, before anything slow starts.

``python -m scripts.deploy.preflight --env dev``

Packaging and ``terraform init`` take minutes, and Terraform then asks for credentials in places
that most machines do not have. This asks AWS three questions and names what to set: who the
credentials belong to, whether the bucket of the state is there, and whether the account has the
concurrent executions of Lambda that the environment plans with.
"""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from scripts.deploy import environments, terraform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.deploy.environments import Environment

# Two attempts of at most five seconds for each of the questions. An instance role is looked for
# last, by botocore's own limits: once, for a second.
_PATIENCE = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_NO_BUCKET = {"NoSuchBucket", "404"}
_NOT_OURS = {"AccessDenied", "AllAccessDisabled", "403"}
# With one of these Terraform reaches the state as somebody else, or elsewhere; it will say so.
_STATE_BY_OTHER_MEANS = {
    "access_key",
    "assume_role",
    "assume_role_with_web_identity",
    "endpoint",
    "endpoints",
    "profile",
    "role_arn",
    "shared_config_files",
    "shared_credentials_file",
    "shared_credentials_files",
}
_SET_CREDENTIALS = (
    "set AWS_PROFILE to a profile of ~/.aws/config (`aws configure sso` makes one), or "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where they are temporary, AWS_SESSION_TOKEN"
)


class PreflightError(Exception):
    """AWS does not answer as the environment needs it; the message says what to set, and where."""


@dataclass(frozen=True)
class Caller:
    """Who the credentials belong to."""

    account: str
    arn: str


def check(environment: Environment, *, state: bool) -> Caller:
    """Return whose the credentials are, if they will do for ``environment``.

    ``state`` asks for what Terraform needs as well: its program, the bucket of the state, and what
    a plan counts on.

    Raises PreflightError for what is missing, SettingsError for a wrong file of the environment,
    and TerraformError without Terraform.
    """
    if state:
        terraform.required_executable()
    try:
        session = _session()
        caller = _caller(session, environment)
        _check_account(environment, caller)
        if state and not _STATE_BY_OTHER_MEANS & environment.backend_settings.keys():
            _check_bucket(session, environment, caller)
        if state and not environment.tenants_only:
            _check_concurrency(session, environment)
    except BotoCoreError as error:
        raise PreflightError(f"{environment.name}: {_advice(environment, error)}") from error
    return caller


def _session() -> boto3.Session:
    session = botocore.session.get_session()
    # For the questions that credentials ask, too: a role to assume, a single sign-on.
    session.set_default_client_config(_PATIENCE)
    return boto3.Session(botocore_session=session)


def _caller(session: boto3.Session, environment: Environment) -> Caller:
    client = session.client("sts", region_name=environment.region)
    try:
        identity = client.get_caller_identity()
    except ClientError as error:
        raise PreflightError(
            f"{environment.name}: {_refused(session, environment, error)}"
        ) from error
    return Caller(account=identity["Account"], arn=identity["Arn"])


def _refused(session: boto3.Session, environment: Environment, error: ClientError) -> str:
    credentials = session.get_credentials()
    # Those of the environment win over any profile, even where AWS_PROFILE is set.
    is_named = credentials is not None and credentials.method == "env"
    source = "AWS_ACCESS_KEY_ID" if is_named else f'profile "{session.profile_name}"'
    renew = _SET_CREDENTIALS if is_named else f"run {_sign_on()}, or {_SET_CREDENTIALS}"
    if is_named and "AWS_PROFILE" in os.environ:
        renew = "unset AWS_ACCESS_KEY_ID, which wins over AWS_PROFILE, or set it anew"
    code = error.response["Error"].get("Code", "unknown error")
    if code in _EXPIRED:
        return f"the AWS credentials of {source} have expired; {renew}"
    message = error.response["Error"].get("Message", "")
    return (
        f"AWS refuses the credentials of {source} ({code}: {message}); {renew}, and see that the "
        f'account has the region "{environment.region}" enabled'
    )


def _sign_on() -> str:
    profile = os.environ.get("AWS_PROFILE")
    return f"`aws sso login --profile {profile}`" if profile else "`aws sso login`"


def _check_account(environment: Environment, caller: Caller) -> None:
    allowed = environment.allowed_account_ids
    if allowed and caller.account not in allowed:
        raise PreflightError(
            f"{environment.name}: the credentials are for account {caller.account}; allowed: "
            f"{', '.join(allowed)} (allowed_account_ids in "
            f"{environment.label(environments.VARIABLES_FILE)}); {_SET_CREDENTIALS}"
        )


def _check_bucket(session: boto3.Session, environment: Environment, caller: Caller) -> None:
    backend = environment.backend
    client = session.client("s3", region_name=backend.region)
    try:
        # What Terraform's backend does first, and may do where it may not ask for the bucket.
        listed = client.list_objects_v2(Bucket=backend.bucket, Prefix=backend.key, MaxKeys=1)
    except ClientError as error:
        raise PreflightError(_no_bucket(environment, caller, error)) from error
    # boto3 follows a bucket to its region, Terraform does not.
    headers: Mapping[str, str] = listed["ResponseMetadata"]["HTTPHeaders"]
    region = headers.get("x-amz-bucket-region", backend.region)
    if region != backend.region:
        raise PreflightError(
            f'{_backend(environment)}: region: given "{backend.region}", but the state bucket '
            f'{backend.bucket} lies in another; allowed: "{region}"'
        )


def _check_concurrency(session: boto3.Session, environment: Environment) -> None:
    """AWS refuses a reservation beyond the account's quota only in the middle of an apply."""
    try:
        client = session.client("lambda", region_name=environment.region)
        limit: Mapping[str, int] = client.get_account_settings().get("AccountLimit", {})
    except (BotoCoreError, ClientError):
        # Who deploys need not have the right to ask, and a plan has its own words for the rest.
        return
    allowed, given = limit.get("ConcurrentExecutions"), environment.account_concurrency
    if allowed is not None and given > allowed:
        raise PreflightError(
            f"{environment.label(environments.VARIABLES_FILE)}: account_concurrency: given "
            f"{given}, but the account may run {allowed} Lambda functions at once in "
            f"{environment.region}; allowed: at most {allowed}. Set account_concurrency = "
            f"{allowed}, or have AWS raise the quota first"
        )


def _no_bucket(environment: Environment, caller: Caller, error: ClientError) -> str:
    code = error.response["Error"].get("Code", "unknown error")
    bucket = environment.backend.bucket
    make = f"`make bootstrap ENV={environment.name}`"
    is_shipped = bucket == f"tollgate-{environment.name}-terraform-state"
    if code in _NO_BUCKET:
        first = (
            "first give it a name of your own, this one is in everybody's copy; then "
            if is_shipped
            else ""
        )
        return f"{_backend(environment)}: bucket: {bucket} does not exist; {first}run {make}"
    if code in _NOT_OURS and is_shipped:
        return (
            f"{_backend(environment)}: bucket: {bucket} is the name in everybody's copy of this "
            f"repository, and the bucket is not yours ({code}); give it a name of your own, then "
            f"run {make}"
        )
    return (
        f"{_backend(environment)}: bucket: {bucket}: {code}; it is somebody else's, or "
        f"{caller.arn} may not list it (s3:ListBucket)"
    )


def _backend(environment: Environment) -> str:
    return environment.label(environments.BACKEND_FILE)


def _advice(environment: Environment, error: BotoCoreError) -> str:
    match error:
        case NoCredentialsError():
            return f"found no AWS credentials; {_SET_CREDENTIALS}"
        case PartialCredentialsError():
            return f"{error}; {_SET_CREDENTIALS}"
        case ProfileNotFound():
            profiles = ", ".join(botocore.session.Session(profile="").available_profiles) or "none"
            return (
                f"AWS_PROFILE: given {os.environ.get('AWS_PROFILE')!r}; allowed: a profile of "
                f"~/.aws/config: {profiles}"
            )
        case SSOError() | TokenRetrievalError():
            return f"the single sign-on has ended ({error}); run {_sign_on()}"
        case HTTPClientError() | ConnectionError():
            return f"AWS does not answer: {error}; {_reach()}{_region_hint(environment)}"
        case _:
            return f"AWS cannot be asked: {error}{_region_hint(environment)}"


def _reach() -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"AWS_ENDPOINT_URL is {endpoint}: start what listens there, or unset it"
    return "see to the network, and set HTTPS_PROXY where there is a proxy"


def _region_hint(environment: Environment) -> str:
    session = boto3.Session()
    known = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition_name=partition)
    }
    if environment.region in known:
        return ""
    near = ", ".join(difflib.get_close_matches(environment.region, known, n=3))
    file = environment.label(environments.VARIABLES_FILE)
    allowed = f"a region of AWS, such as {near or 'us-east-1'}"
    return f'. {file}: region: given "{environment.region}"; allowed: {allowed}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.preflight", __doc__)
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        caller = check(environment, state=True)
    except (PreflightError, environments.SettingsError, terraform.TerraformError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{environment.name}: account {caller.account}, region {environment.region}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
