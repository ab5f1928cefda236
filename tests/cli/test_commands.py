from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli.main import VERBS
from collector.settings import Settings, read_settings
from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.policy import SHIPPED_POLICY
from schemas.problems import ConfigurationError
from tests.conftest import BIN, PROJECT, collector


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    text = collector(verb, "--help").stdout
    assert "\\b" not in text
    assert "--data" in text or verb in {"check", "capacity"}


def test_help_does_not_load_the_engine() -> None:
    program = (
        "import sys; sys.argv = ['collector', '--help']\n"
        "from collector.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'chdb', 'pydantic', 'aiohttp', 'rich', 'clickhouse_connect'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_every_setting_is_an_option_with_its_description() -> None:
    text = " ".join(collector("serve", "--help").stdout.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description
        assert " ".join(field.description.split()[:3]) in text


def test_option_wins_over_environment_and_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("ingest_port = 1001\nreports_port = 1002\nmetrics_port = 1003\n")
    monkeypatch.setenv("COLLECTOR_REPORTS_PORT", "2002")
    monkeypatch.setenv("COLLECTOR_METRICS_PORT", "2003")
    settings = read_settings(file, metrics_port=3003)
    assert (settings.ingest_port, settings.reports_port, settings.metrics_port) == (1001, 2002, 3003)
    monkeypatch.setenv("COLLECTOR_CONFIG", str(file))
    assert read_settings().ingest_port == 1001


@pytest.mark.parametrize(
    ("file", "environment", "problem"),
    [
        ("ingest_prt = 1", {}, "ingest_prt: there is no such entry"),
        ("ingest_port = 'many'", {}, "ingest_port: is not a whole number"),
        ("reports_host = '0.0.0.0'", {}, "reports_host: other than a loopback address needs reports_url"),
        ("reports_host = '0.0.0.0'\nreports_url = 'http://localhost'", {}, "needs reports_url, the https address"),
        ("metrics_host = '0.0.0.0'", {}, "metrics_host: must be a loopback address"),
        ("reports_url = 'http://usage.example.com'", {}, "reports_url: must be https"),
        ("reports_url = 'https://usage.example.com/telemetry'", {}, "reports_url: must be https://HOST"),
        ("reports_url = 'https://user@usage.example.com'", {}, "reports_url: must be https://HOST"),
        ("reports_url = 'https://usage.example.com:99999'", {}, "reports_url: must be https://HOST"),
        ("trusted_user_header = 'X-User'", {}, "trusted_user_header and trusted_user_proxies are given together"),
        ("trusted_user_proxies = '10.0.0.0/8'", {}, "trusted_user_header and trusted_user_proxies are given together"),
        (
            "trusted_user_proxies = '::/0'\ntrusted_user_header = 'X-User'",
            {},
            "trusted_user_proxies: must not hold every address",
        ),
        (
            "trusted_user_proxies = '10.0.0.0/8'\ntrusted_user_header = 'Cookie'",
            {},
            "trusted_user_header: must be the name of a header that has no other meaning",
        ),
        ("ingest_port = 8081", {}, "ingest_port, reports_port and metrics_port must differ"),
        ("ingest_port", {}, "not valid TOML"),
        ("", {"COLLECTOR_PORT": "1"}, "COLLECTOR_PORT is not a setting"),
        ("", {"COLLECTOR_WORKERS": "none"}, "workers"),
        ("profile = 'none'", {}, "profile: should be 'standard' or 'strict'"),
        (f"data = '{'/long' * 30}'", {}, "at most 90 characters"),
    ],
)
def test_bad_setting_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, environment: dict[str, str], problem: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path)
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]
    assert "many" not in caught.value.problems[0]


@pytest.mark.parametrize("option", ["--policy", "--catalogue", "--menu", "--config"])
def test_missing_file_stops_the_start_with_one_line(tmp_path: Path, option: str) -> None:
    result = collector("serve", "--data", str(tmp_path / "data"), option, str(tmp_path / "none.toml"), check=False)
    assert result.returncode == 2
    assert "none.toml: cannot be read: No such file or directory" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root")
    result = collector("serve", "--data", str(tmp_path), check=False)
    assert result.returncode == 2
    assert "is not empty and holds no collector data" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]


def test_rows_may_not_be_kept_longer_than_the_policy_allows(tmp_path: Path) -> None:
    result = collector("serve", "--data", str(tmp_path / "data"), "--keep-after-release-days", "30", check=False)
    assert result.returncode == 2
    assert "rows would be kept 61 days and come 3 days late, 64 in all; the policy allows 60" in result.stderr


def test_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = collector("serve", "--data", str(tmp_path / "file" / "data"), check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_check_finds_nothing_in_what_is_shipped() -> None:
    assert collector("check").stdout.startswith("no problems: 12 permits")


def test_check_lists_every_problem_at_once(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(SHIPPED_POLICY.read_text().replace('field = "language"', 'field = "dialect"'))
    menu = tmp_path / "menu.toml"
    menu.write_text((PROJECT / "collector/publish/menu.toml").read_text().replace("k = 10", "k = 3"))
    settings = tmp_path / "settings.toml"
    settings.write_text("ingest_port = 99999\nworkers = 0\n")
    arguments = ["--policy", policy, "--menu", menu, "--config", settings, "--catalogue", tmp_path / "none.toml"]
    result = collector("check", *map(str, arguments), check=False)
    assert result.returncode == 1
    for problem in ("ingest_port", "workers", "field language of report image-boot/1", "k = 3", "none.toml"):
        assert problem in result.stdout, problem
    as_json = collector("check", *map(str, arguments), "--format", "json", check=False)
    assert len(json.loads(as_json.stdout)["problems"]) >= 6


def test_catalogue_of_an_operator_is_not_judged_by_the_shipped_examples(tmp_path: Path) -> None:
    own = tmp_path / "products.toml"
    own.write_text(SHIPPED_CATALOGUE.read_text().replace("[products.argo-cd]", "[products.own-product]"))
    assert collector("check", "--catalogue", str(own)).stdout.startswith("no problems")


def test_files_that_are_no_text_are_one_line_each(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(bytes(range(256)))
    arguments = [word for option in ("--policy", "--catalogue", "--menu") for word in (option, str(binary))]
    result = collector("check", *arguments, check=False)
    assert result.stdout.count("not valid TOML") == 3
    assert "3 problems" in result.stdout


def test_full_output_device_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [BIN / "collector", "check"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


def test_policy_that_cannot_be_read_does_not_hide_the_other_problems(tmp_path: Path) -> None:
    menu = tmp_path / "menu.toml"
    menu.write_text((PROJECT / "collector/publish/menu.toml").read_text().replace("k = 10", "k = 3"))
    result = collector("check", "--policy", str(tmp_path / "none.toml"), "--menu", str(menu), check=False)
    assert "none.toml: cannot be read" in result.stdout
    assert "k = 3" in result.stdout


@pytest.mark.parametrize("verb", ["status", "usage", "publish"])
def test_directory_without_data_says_what_to_do(tmp_path: Path, verb: str) -> None:
    result = collector(verb, "--data", str(tmp_path / "nothing"), check=False)
    assert result.returncode == 2
    assert "`collector serve` or `collector simulate` makes some" in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_missing_server_packages_are_named() -> None:
    """The base install is the client alone: `collector` must say how to get the rest."""
    program = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from collector.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "pip install 'product-telemetry[collector,embedded]'" in result.stderr


def test_output_can_be_cut_off_by_a_pipe() -> None:
    result = subprocess.run(
        f"{BIN}/collector serve --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in result.stderr


def test_reload_where_none_runs_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    result = collector("reload", "--data", str(tmp_path), check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no collector runs on this directory" in result.stderr


@pytest.mark.parametrize("verb", ["serve", "status", "usage", "releases", "quarantine", "publish"])
def test_user_who_may_not_use_the_directory_is_told_which_one_may(tmp_path: Path, verb: str) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True)
    data.chmod(0)
    program = (
        "import importlib, os, sys\n"
        "importlib.import_module('collector.cli.' + sys.argv[1])\n"
        "from collector.__main__ import main; import collector.supervisor, collector.cli.open, collector.cli.table\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"  # root may read whatever the mode says
        "main()"
    )
    arguments = [verb, *(["list"] if verb == "quarantine" else []), "--data", str(data)]
    try:
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        data.chmod(0o700)
    assert result.returncode == 2
    assert "permission denied; run this as the user that" in result.stderr
    assert "Traceback" not in result.stderr
