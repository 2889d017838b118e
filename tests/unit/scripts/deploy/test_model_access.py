"""Which of the tenants' models an account can call is known before a tenant finds out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy import bootstrap, environments, model_access
from scripts.deploy.model_access import Access, ModelAccessError, Reach, ask, reaches, report
from scripts.tenants import files
from scripts.tenants.mistakes import load_book

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LITE = "amazon.nova-lite-v1:0"
SONNET = "anthropic.claude-sonnet-4-6"
AVAILABILITY: dict[str, Any] = {
    "modelId": LITE,
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


@contextmanager
def bedrock() -> Iterator[tuple[Any, Stubber]]:
    """A client whose answers botocore holds against the service's model."""
    client = boto3.client(
        "bedrock",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def asked(**changes: object) -> Access:
    with bedrock() as (client, stubber):
        stubber.add_response(
            "get_foundation_model_availability", {**AVAILABILITY, **changes}, {"modelId": LITE}
        )
        return ask(client, [LITE])[LITE]


def tenant(**changes: object) -> files.Tenant:
    policy = {"status": "active", "isolation": "pool", "models": [LITE], "deny_models": []}
    return files.Tenant({**policy, **changes}, {})


def reached(**changes: object) -> list[Reach]:
    return list(reaches({"acme": tenant(**changes)}, load_book()))


def test_a_model_that_lacks_nothing_can_be_called() -> None:
    assert asked() == Access(LITE, None)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"regionAvailability": "NOT_AVAILABLE"}, "not have it in this region"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "not authorized"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "no entitlement"),
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "aws-marketplace:Subscribe"),
        ({"agreementAvailability": {"status": "PENDING"}}, "pending"),
        (
            {"agreementAvailability": {"status": "ERROR", "errorMessage": "card declined"}},
            "subscription failed (card declined)",
        ),
    ],
)
def test_what_is_missing_is_named(change: Mapping[str, object], missing: str) -> None:
    access = asked(**change)

    assert not access.is_callable
    assert missing in str(access.missing)


@pytest.mark.parametrize(("is_submitted", "missing"), [(True, None), (False, "Anthropic's form")])
def test_anthropics_models_want_the_form(is_submitted: bool, missing: str | None) -> None:
    with bedrock() as (client, stubber):
        if is_submitted:
            stubber.add_response("get_use_case_for_model_access", {"formData": b"{}"}, {})
        else:
            stubber.add_client_error("get_use_case_for_model_access", "ResourceNotFoundException")
        stubber.add_response(
            "get_foundation_model_availability",
            {**AVAILABILITY, "modelId": SONNET},
            {"modelId": SONNET},
        )
        found = ask(client, [SONNET])[SONNET].missing

    assert (found is None) if missing is None else (missing in str(found))


def test_a_model_that_bedrock_does_not_know_is_no_failure() -> None:
    with bedrock() as (client, stubber):
        stubber.add_client_error("get_foundation_model_availability", "ResourceNotFoundException")
        assert "not have it" in str(ask(client, [LITE])[LITE].missing)


def test_who_may_not_ask_is_told_which_rights_are_missing() -> None:
    with bedrock() as (client, stubber):
        stubber.add_client_error("get_foundation_model_availability", "AccessDeniedException")
        with pytest.raises(ModelAccessError, match="bedrock:GetFoundationModelAvailability"):
            ask(client, [LITE])


def test_patterns_reach_the_book_without_routing_and_without_what_is_denied() -> None:
    (routed,) = reached(models=["us.anthropic.claude-sonnet-*"])
    (wide,) = reached(models=["amazon.nova-*"], deny_models=["amazon.nova-pro*"])

    assert SONNET in routed.model_ids
    assert all(name.startswith("anthropic.") for name in routed.model_ids)
    assert LITE in wide.model_ids
    assert "amazon.nova-pro-v1:0" not in wide.model_ids


@pytest.mark.parametrize("change", [{"status": "offboarded"}, {"isolation": "silo"}])
def test_tenants_that_call_nothing_here_are_left_out(change: Mapping[str, object]) -> None:
    assert reached(**change) == []


def test_a_report_has_each_model_once_and_an_error_for_a_pattern_without_any() -> None:
    found = [
        Reach("acme", "*", frozenset({LITE, SONNET})),
        Reach("globex", "us.anthropic.*", frozenset({SONNET})),
        Reach("globex", "granite", frozenset()),
    ]
    access = {LITE: Access(LITE, None), SONNET: Access(SONNET, "no form")}

    assert list(report(found, access)) == [
        f"{LITE}: can be called (of acme)",
        f"{SONNET}: no form (of acme, globex)",
        'error: globex.tfvars: models: given "us.anthropic.*", of which this account can call no '
        "model; allowed: what Bedrock lets it call, as above",
    ]


def test_a_bucket_is_made_though_nobody_can_say_which_models_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(_: environments.Environment) -> tuple[list[str], bool]:
        raise ModelAccessError("Bedrock refuses to say")

    monkeypatch.setattr(model_access, "check", unknown)
    monkeypatch.setattr(bootstrap, "bootstrap", lambda _: True)

    assert bootstrap.main(["--env", "dev"]) == 0
    assert "dev: which models tenants can call is not known" in capsys.readouterr().out
