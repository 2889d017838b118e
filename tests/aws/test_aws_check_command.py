"""What `make aws-check` finds of a deployment by itself, and what it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from scripts.awscheck import __main__ as command
from scripts.awscheck.probes import Probe, Seen
from scripts.deploy import environments
from tests.integration.test_keys import PREFIX, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.awscheck.gateway import Gateway

URL = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"


@pytest.fixture(autouse=True)
def _applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    with mock_aws():
        world = World(tmp_path)
        world.publish(
            api_url=URL,
            key_store="ssm",
            rest_api_id="abcde12345",
            usage_plan_ceiling='{"rate_limit": 125, "burst_limit": 250}',
        )
        world.client("ssm").put_parameter(
            Name=f"/{PREFIX}/tenants/acme/web/primary", Value="the-key", Type="SecureString"
        )
        yield


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> list[Gateway]:
    """The gateways that the one probe was run on; the second is as nobody expects it."""
    found: list[Gateway] = []

    def look(gateway: Gateway) -> Seen:
        found.append(gateway)
        return Seen(len(found) == 1, f"{gateway.url} with {gateway.key}")

    monkeypatch.setattr(command, "PROBES", (Probe("look", "once", look),))
    return found


def test_the_deployment_is_found_and_the_report_has_no_key(
    gateways: list[Gateway], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "check.md"

    assert command.main(["--env", "dev", "--out", str(out), "--idle-minutes", "0.5"]) == 0

    (gateway,) = gateways
    assert (gateway.url, gateway.key, gateway.rest_api_id) == (URL, "the-key", "abcde12345")
    assert (gateway.tenant_id, gateway.prefix, gateway.model) == ("acme", PREFIX, command.MODELS[0])
    assert (gateway.burst, gateway.idle_seconds) == (250, 30)
    assert f"| look | once | {URL} with <key> | as expected |" in out.read_text("utf-8")
    assert "the-key" not in capsys.readouterr().out


def test_it_ends_with_1_where_something_is_not_as_expected(
    gateways: list[Gateway], tmp_path: Path
) -> None:
    arguments = ["--env", "dev", "--tenant", "acme", "--app", "web", "--out", str(tmp_path / "r")]

    assert [command.main(arguments), command.main(arguments)] == [0, 1]
    assert len(gateways) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tenant", "initech"], 'TENANT, APP: given "initech" and ""; allowed: an active tenant'),
        (["--tenant", "globex"], 'given "globex" and ""; allowed'),
        (["--only", "weather"], "given ['weather']; allowed: look"),
    ],
)
def test_what_it_cannot_begin_with_is_refused(
    gateways: list[Gateway],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert command.main(["--env", "dev", *arguments]) == 1

    assert message in capsys.readouterr().err
    assert gateways == []
