"""The wrapper around Terraform, without Terraform."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "ENV", "TERRAFORM", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_DIR"):
        monkeypatch.delenv(name, raising=False)


def make_mirror(folder: Path) -> Path:
    (folder / terraform.PROVIDER).mkdir(parents=True)
    return folder


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_mirror(tmp_path / "mirror")
    monkeypatch.setenv("TF_PLUGIN_DIR", str(folder))
    return folder


@pytest.fixture
def no_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "mirror_roots", lambda: [tmp_path / "empty"])
    monkeypatch.setattr(terraform, "REPOSITORY", tmp_path / "repository")


class TestFindMirror:
    def test_a_root_and_its_folders_are_looked_into(self, tmp_path: Path) -> None:
        found = make_mirror(tmp_path / "opt" / "providers")
        assert terraform.find_mirror([tmp_path / "missing", tmp_path / "opt"]) == found
        assert terraform.find_mirror([found]) == found

    def test_deeper_folders_are_not(self, tmp_path: Path) -> None:
        make_mirror(tmp_path / "opt" / "a" / "b")
        assert terraform.find_mirror([tmp_path / "opt"]) is None

    def test_the_variable_wins(self, tmp_path: Path, mirror: Path) -> None:
        other = make_mirror(tmp_path / "other")
        assert terraform.find_mirror([other]) == mirror

    def test_a_wrong_variable_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path))
        with pytest.raises(terraform.TerraformError, match="TF_PLUGIN_DIR=.* has no folder"):
            terraform.find_mirror()


class TestEnvironment:
    def test_a_mirror_is_configured(self, tmp_path: Path, mirror: Path) -> None:
        variables = terraform.environment(tmp_path, "dev")
        configuration = Path(variables["TF_CLI_CONFIG_FILE"])
        assert configuration.parent == tmp_path / ".terraform" / "dev"
        text = configuration.read_text(encoding="utf-8")
        assert f'path    = "{mirror}"' in text
        assert f'exclude = ["{terraform.PROVIDER}"]' in text
        assert "TF_PLUGIN_CACHE_DIR" not in variables

    @pytest.mark.usefixtures("mirror")
    def test_the_configuration_is_written_once(self, tmp_path: Path) -> None:
        configuration = Path(terraform.environment(tmp_path)["TF_CLI_CONFIG_FILE"])
        first = configuration.stat().st_mtime_ns
        terraform.environment(tmp_path)
        assert configuration.stat().st_mtime_ns == first
        assert [path.name for path in configuration.parent.iterdir()] == ["cli.tfrc"]

    @pytest.mark.usefixtures("no_mirror")
    def test_without_a_mirror_the_registry_is_used_with_a_cache(self, tmp_path: Path) -> None:
        variables = terraform.environment(tmp_path)
        assert "TF_CLI_CONFIG_FILE" not in variables
        assert Path(variables["TF_PLUGIN_CACHE_DIR"]).is_dir()
        assert not list((tmp_path / ".terraform").rglob("*.tfrc"))

    @pytest.mark.usefixtures("no_mirror")
    def test_a_stale_setting_is_dropped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "gone.tfrc"))
        assert "TF_CLI_CONFIG_FILE" not in terraform.environment(tmp_path)

    @pytest.mark.usefixtures("mirror")
    def test_the_users_own_configuration_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = tmp_path / "own.tfrc"
        own.touch()
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(own))
        assert terraform.environment(tmp_path)["TF_CLI_CONFIG_FILE"] == str(own)

    @pytest.mark.usefixtures("mirror")
    def test_each_environment_has_its_own_data(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert terraform.environment(tmp_path)["TF_DATA_DIR"].endswith(".terraform/default")
        monkeypatch.setenv("ENV", "prod")
        assert terraform.environment(tmp_path)["TF_DATA_DIR"].endswith(".terraform/prod")
        assert terraform.environment(tmp_path, "dev")["TF_DATA_DIR"].endswith(".terraform/dev")

    def test_an_environment_is_no_path(self, tmp_path: Path) -> None:
        with pytest.raises(terraform.TerraformError, match=r"'\.\./dev'"):
            terraform.data_directory(tmp_path, "../dev")


class TestUnavailable:
    def test_terraform_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERRAFORM", "no-such-terraform")
        assert "not on PATH" in (terraform.unavailable() or "")

    def test_in_ci_that_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERRAFORM", "no-such-terraform")
        monkeypatch.setenv("CI", "true")
        with pytest.raises(terraform.TerraformError, match="not on PATH"):
            terraform.unavailable()

    @pytest.mark.usefixtures("no_mirror")
    @pytest.mark.parametrize(("answers", "available"), [(True, True), (False, False)])
    def test_without_a_mirror_the_registry_decides(
        self, monkeypatch: pytest.MonkeyPatch, answers: bool, available: bool
    ) -> None:
        monkeypatch.setattr(terraform, "executable", lambda: "/bin/terraform")
        monkeypatch.setattr(terraform, "_registry_answers", lambda: answers)
        assert (terraform.unavailable() is None) is available

    @pytest.mark.usefixtures("mirror")
    def test_a_mirror_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(terraform, "executable", lambda: "/bin/terraform")
        monkeypatch.setattr(terraform, "_registry_answers", lambda: pytest.fail("asked"))
        assert terraform.unavailable() is None


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in Terraform's place that shows what it was given."""
    program = tmp_path / "terraform"
    program.write_text(
        '#!/bin/sh\necho "$PWD|$*|$EXTRA|$TF_IN_AUTOMATION"\n[ "$1" != fail ] || exit 3\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("TERRAFORM", str(program))
    return program


@pytest.mark.usefixtures("mirror", "stand_in")
class TestRun:
    def test_it_runs_in_the_directory(self, tmp_path: Path) -> None:
        result = terraform.run(tmp_path, "plan", "-x", variables={"EXTRA": "1"}, capture=True)
        assert result.stdout == f"{tmp_path}|plan -x|1|1\n"

    def test_a_failure_carries_the_output(self, tmp_path: Path) -> None:
        with pytest.raises(terraform.TerraformError, match=r"exit status 3\n.*fail now"):
            terraform.run(tmp_path, "fail", "now", capture=True)

    def test_a_failure_can_be_looked_at(self, tmp_path: Path) -> None:
        status = terraform.run(tmp_path, "fail", capture=True, check=False).returncode
        assert status == 3

    def test_lines_can_be_changed_before_they_are_seen(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def hide(lines: Iterable[str]) -> Iterator[str]:
            return (line.replace("secret", "***") for line in lines)

        terraform.run(tmp_path, "plan", "secret", shown=hide)
        with pytest.raises(terraform.TerraformError, match="exit status 3"):
            terraform.run(tmp_path, "fail", "secret", shown=hide)
        assert capfd.readouterr().out == f"{tmp_path}|plan ***||1\n{tmp_path}|fail ***||1\n"

    def test_an_interrupt_is_left_to_terraform(self, stand_in: Path, tmp_path: Path) -> None:
        stand_in.write_text(
            "#!/bin/sh\ntrap 'echo ended; exit 0' INT\nkill -INT $PPID\nkill -INT $$\nsleep 9\n"
        )
        seen: list[str] = []

        def note(lines: Iterable[str]) -> Iterator[str]:
            for line in lines:
                seen.append(line)
                yield line

        before = signal.getsignal(signal.SIGINT)
        assert terraform.run(tmp_path, "apply", shown=note).returncode == 0
        assert seen == ["ended\n"]
        assert signal.getsignal(signal.SIGINT) is before

    def test_the_directory_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(terraform.TerraformError, match="no such directory"):
            terraform.run(tmp_path / "missing", "plan")


class TestMain:
    def test_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert terraform.main(["terraform"]) == 2
        assert "usage:" in capsys.readouterr().out

    @pytest.mark.usefixtures("mirror", "stand_in")
    def test_the_status_is_terraforms(self, tmp_path: Path) -> None:
        assert terraform.main([str(tmp_path), "plan"]) == 0
        assert terraform.main([str(tmp_path), "fail"]) == 3

    def test_a_missing_terraform_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("TERRAFORM", "no-such-terraform")
        assert terraform.main([str(tmp_path), "plan"]) == 2
        assert "not on PATH" in capsys.readouterr().err

    @pytest.mark.usefixtures("no_mirror", "stand_in")
    def test_in_ci_init_needs_a_provider(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
            pytest.fail("Terraform was started")

        monkeypatch.setenv("CI", "true")
        monkeypatch.setattr(terraform, "_registry_answers", lambda: False)
        monkeypatch.setattr(terraform, "run", run)
        assert terraform.main([str(tmp_path), "init"]) == 2
