"""Tell which of the tenants' models this account can call, before a tenant finds out.

``python -m scripts.deploy.model_access --env dev``

Amazon's own models can be called at once. Those of others are subscribed to through AWS Marketplace
by the first call of somebody who may, which the gateway's functions may not, and Anthropic's want
a form besides. Bedrock is asked about each model that a tenant file reaches; nothing is called and
nothing is changed. Ends with 1 where a tenant's pattern reaches no model that can be called.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, preflight
from scripts.tenants import files
from scripts.tenants.mistakes import load_book
from scripts.tenants.rules import without_routing
from tollgate.domain.models import denies, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts.deploy.environments import Environment
    from scripts.tenants.files import Tenant
    from scripts.tenants.mistakes import Book

# Bedrock's names for a model that it has not, there or at all.
_UNKNOWN = {"ResourceNotFoundException", "ValidationException"}
_DENIED = {"AccessDeniedException", "AccessDenied"}
_RIGHTS = "bedrock:GetFoundationModelAvailability and bedrock:GetUseCaseForModelAccess"
_NOT_HERE = "Bedrock does not have it in this region"
_FORM = "anthropic."
_SUBSCRIBE = (
    "not subscribed: call it once as somebody with aws-marketplace:Subscribe and "
    "aws-marketplace:ViewSubscriptions"
)
_AGREEMENTS = {
    "NOT_AVAILABLE": _SUBSCRIBE,
    "PENDING": "its subscription is pending: ask again in a few minutes",
    "ERROR": "its subscription failed",
}


class ModelAccessError(Exception):
    """Bedrock cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the account can call a model, and what is missing where it cannot."""

    model_id: str
    missing: str | None

    @property
    def is_callable(self) -> bool:
        """Whether nothing is missing."""
        return self.missing is None


@dataclass(frozen=True, slots=True)
class Reach:
    """A pattern of a tenant's `models`, and the base models that it reaches."""

    tenant_id: str
    pattern: str
    model_ids: frozenset[str]


def reaches(tenants: Mapping[str, Tenant], book: Book) -> Iterator[Reach]:
    """What each tenant's patterns reach of the price book.

    A tenant of an account of its own calls models there, and an offboarded one calls none.
    """
    ids = sorted(book.called_ids)
    for tenant_id, tenant in sorted(tenants.items()):
        policy = tenant.policy
        if policy["status"] == "offboarded" or policy["isolation"] == "silo":
            continue
        for pattern in policy["models"]:
            named = [name for name in ids if matches([pattern], name)]
            left = [name for name in named if not denies(policy["deny_models"], name)]
            bases = frozenset(book.prices.base_id(without_routing(name)) for name in left)
            yield Reach(tenant_id, pattern, bases)


def ask(bedrock: Any, model_ids: Iterable[str]) -> dict[str, Access]:  # noqa: ANN401
    """What Bedrock says of each base model; `bedrock` is a boto3 client.

    Raises ModelAccessError where it does not answer, or these credentials may not ask.
    """
    wanted = sorted(model_ids)
    try:
        has_form = _has_form(bedrock) if any(map(_needs_form, wanted)) else True
        return {name: Access(name, _missing(bedrock, name, has_form=has_form)) for name in wanted}
    except ClientError as error:
        code = error.response["Error"].get("Code", "unknown error")
        advice = f"; these credentials need {_RIGHTS}" if code in _DENIED else ""
        raise ModelAccessError(f"Bedrock refuses to say ({code}){advice}") from error
    except BotoCoreError as error:
        raise ModelAccessError(f"Bedrock does not answer: {error}") from error


def _needs_form(model_id: str) -> bool:
    return model_id.startswith(_FORM)


def _has_form(bedrock: Any) -> bool:  # noqa: ANN401
    try:
        bedrock.get_use_case_for_model_access()
    except ClientError as error:
        if error.response["Error"].get("Code") not in _UNKNOWN:
            raise
        return False
    return True


def _missing(bedrock: Any, model_id: str, *, has_form: bool) -> str | None:  # noqa: ANN401
    try:
        said = bedrock.get_foundation_model_availability(modelId=model_id)
    except ClientError as error:
        if error.response["Error"].get("Code") not in _UNKNOWN:
            raise
        return _NOT_HERE
    if said["regionAvailability"] != "AVAILABLE":
        return _NOT_HERE
    if _needs_form(model_id) and not has_form:
        return "Anthropic's form is missing: submit the use case details in the Bedrock console"
    return _not_agreed(said["agreementAvailability"]) or _not_granted(said)


def _not_agreed(agreement: Mapping[str, str]) -> str | None:
    status, reason = agreement["status"], agreement.get("errorMessage")
    if status == "AVAILABLE":
        return None
    missing = _AGREEMENTS.get(status, f"its subscription is {status}")
    return f"{missing} ({reason})" if reason else missing


def _not_granted(said: Mapping[str, Any]) -> str | None:
    if said["authorizationStatus"] != "AUTHORIZED":
        return "the account is not authorized: ask AWS, or the owner of the organisation's policies"
    if said["entitlementAvailability"] != "AVAILABLE":
        return "the account has no entitlement to it: ask AWS support"
    return None


def report(found: Sequence[Reach], access: Mapping[str, Access]) -> Iterator[str]:
    """Lines for a person: what can be called, and what each of the others lacks."""
    users: dict[str, set[str]] = {}
    for reach in found:
        for model_id in reach.model_ids:
            users.setdefault(model_id, set()).add(reach.tenant_id)
    for model_id, tenants in sorted(users.items()):
        verdict = access[model_id].missing or "can be called"
        yield f"{model_id}: {verdict} (of {', '.join(sorted(tenants))})"
    yield from (f"error: {line}" for line in unserved(found, access))


def unserved(found: Sequence[Reach], access: Mapping[str, Access]) -> Iterator[str]:
    """A line for each pattern that reaches models, and none that can be called."""
    for reach in found:
        if reach.model_ids and not any(access[name].is_callable for name in reach.model_ids):
            yield (
                f'{reach.tenant_id}{files.SUFFIX}: models: given "{reach.pattern}", of which this '
                "account can call no model; allowed: what Bedrock lets it call, as above"
            )


def check(environment: Environment) -> tuple[list[str], bool]:
    """The lines of an environment's report, and whether every pattern is served.

    Raises ModelAccessError where Bedrock cannot be asked, TenantFilesError for wrong files.
    """
    tenants = files.load_environment(environment.folder)
    found = list(reaches(tenants, load_book()))
    bedrock = boto3.client("bedrock", region_name=environment.region)
    access = ask(bedrock, {name for reach in found for name in reach.model_ids})
    lines = [f"{environment.name}: {line}" for line in report(found, access)]
    return lines, not any(unserved(found, access))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 where a tenant cannot call what its file promises."""
    parser = environments.parser("scripts.deploy.model_access", __doc__)
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        preflight.check(environment, state=False)
        lines, is_served = check(environment)
    except (
        ModelAccessError,
        environments.SettingsError,
        files.TenantFilesError,
        preflight.PreflightError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines) or f"{environment.name}: no tenant calls a model here")
    return 0 if is_served else 1


if __name__ == "__main__":
    raise SystemExit(main())
