"""What is wrong with a command line is told before AWS is asked for anything."""

from __future__ import annotations

import pytest

from scripts.deploy import preflight
from scripts.tenants import handover, keys


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise preflight.PreflightError("asked for credentials")

    monkeypatch.setattr(preflight, "check", refused)


@pytest.mark.parametrize(
    ("tenant", "app", "told"),
    [
        ("", "", 'tenant: given ""; allowed: one with a file in envs/dev/tenants: acme, globex'),
        ("acme", "", 'app: given ""; allowed: an app of acme: ranker, websearch'),
        ("acme", "ranker", "asked for credentials"),
    ],
)
def test_whose_key_is_meant_is_checked_first(
    tenant: str, app: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handover.main(["--env", "dev", "--tenant", tenant, "--app", app]) == 1
    assert capsys.readouterr().err == f"error: {told}\n"


def test_make_keys_without_a_command_is_told_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        keys.main(["--env", "dev"])

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "{issue,list,revoke,rotate,sync}" in told
    assert "required: command" in told
