"""LiteLLM is measured where it is installed, skipped where it is not, and never fetched unasked."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.bench import litellm as bench_litellm
from scripts.bench.litellm import VERSION, LiteLlmError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where LiteLLM would be installed."""
    place = tmp_path / "litellm"
    monkeypatch.setattr(bench_litellm, "FOLDER", place)
    monkeypatch.setattr(bench_litellm.program, "__defaults__", (place,))
    monkeypatch.setattr(bench_litellm.install, "__defaults__", (place,))
    return place


def pip(monkeypatch: pytest.MonkeyPatch, status: int) -> list[list[str]]:
    """Note what pip is asked for, and let it end like this."""
    calls: list[list[str]] = []

    class BareBuilder(bench_litellm.venv.EnvBuilder):
        def __init__(self, **options: bool) -> None:
            super().__init__(**{**options, "with_pip": False})

    def run(command: Sequence[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        del check
        calls.append(list(command))
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(bench_litellm.venv, "EnvBuilder", BareBuilder)
    monkeypatch.setattr(bench_litellm.subprocess, "run", run)
    return calls


def test_without_it_one_sentence_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pip(monkeypatch, 0)
    assert bench_litellm.main([]) == 0
    assert capsys.readouterr().out == (
        "LiteLLM is not installed, so not measured; `make bench-litellm` installs it.\n"
    )
    assert calls == []
    assert not folder.exists()


def test_it_is_installed_at_one_version_and_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pip(monkeypatch, 0)
    bench_litellm.install()
    (call,) = calls
    assert call[0] == str(folder / "bin" / "python")
    assert call[-1] == f"litellm[proxy]=={VERSION}"
    bench_litellm.program().touch()
    bench_litellm.install()
    assert len(calls) == 1


@pytest.mark.usefixtures("folder")
def test_a_failure_to_install_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pip(monkeypatch, 1)
    assert bench_litellm.main(["--install"]) == 1
    assert f"pip could not install LiteLLM {VERSION}" in capsys.readouterr().err


def test_a_proxy_that_ends_is_told_with_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(bench_litellm.urllib.request, "urlopen", refuse)
    program = bench_litellm.program(folder)
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho no such option\nexit 2\n", encoding="utf-8")
    program.chmod(0o755)
    with (
        pytest.raises(LiteLlmError, match="did not start:\nno such option"),
        bench_litellm.proxy("http://127.0.0.1:9", folder),
    ):
        pass


def test_the_proxy_calls_the_stub_only_and_needs_no_key_of_anyone() -> None:
    configuration = bench_litellm.configuration("http://127.0.0.1:9")
    (model,) = configuration["model_list"]
    assert model["litellm_params"]["aws_bedrock_runtime_endpoint"] == "http://127.0.0.1:9"
    assert model["litellm_params"]["aws_secret_access_key"] == "test"
    assert configuration["litellm_settings"]["telemetry"] is False


def test_memory_of_a_process() -> None:
    assert bench_litellm.memory_mib(os.getpid()) >= 0.0
    assert bench_litellm.memory_mib(2**22 + 1) == 0.0
