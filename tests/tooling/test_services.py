"""The services of the tests are real, private to a run, and missing only in plain words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy
from playwright.sync_api import sync_playwright

from tests.services import chromium, launch
from tests.services.postgres import PostgresServer, find_binaries
from tests.services.redis import RedisServer, find_program

ROOT = Path(__file__).resolve().parents[2]

PROBE = """
import pytest

def test_that_needs_redis(redis_server):
    pass

def test_that_needs_nothing():
    pass
"""


def test_postgres_answers_through_sqlalchemy(postgres_server: PostgresServer) -> None:
    engine = sqlalchemy.create_engine(postgres_server.url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
    engine.dispose()


def test_each_database_made_on_postgres_is_empty_and_its_own(
    postgres_server: PostgresServer,
) -> None:
    urls = [postgres_server.create_database(f"tooling-{number}") for number in (1, 2)]
    for url in urls:
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE only_here (id int)"))
        engine.dispose()
    postgres_server.create_database("tooling-1")
    engine = sqlalchemy.create_engine(urls[0])
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()
    for number in (1, 2):
        postgres_server.drop_database(f"tooling-{number}")


def test_postgres_listens_on_loopback_only(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn) as connection:
        row = connection.execute("SHOW listen_addresses").fetchone()
    assert row == ("127.0.0.1",)


def test_redis_answers_a_ping_and_starts_empty(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url_of(15)) as client:
        assert client.ping()
        assert client.dbsize() == 0


def test_redis_keeps_nothing_on_disk_and_listens_on_loopback_only(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_chromium_renders_a_page(chromium_path: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=list(chromium.FLAGS)
        )
        page = browser.new_page()
        page.set_content("<title>Lipa</title>")
        assert page.title() == "Lipa"
        browser.close()


def test_a_service_that_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    for find in (lambda: find_binaries(tmp_path), find_program, chromium.find_chromium):
        with pytest.raises(launch.ServiceMissingError, match="sudo apt-get install"):
            find()


def test_the_newest_postgres_of_several_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        (folder / "initdb").touch()
        (folder / "postgres").touch()
    assert find_binaries(tmp_path) == tmp_path / "17" / "bin"


def test_a_browser_that_does_not_start_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notice = tmp_path / "chromium-browser"
    notice.write_text("#!/bin/sh\nexit 1\n")
    notice.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(launch.ServiceMissingError):
        chromium.find_chromium()


def test_a_server_that_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo the disk is full; exit 3"]
    with (
        pytest.raises(launch.ServiceFailedError, match="the disk is full"),
        launch.running(command, tmp_path / "log", lambda: False),
    ):
        pass


def test_nothing_is_left_when_the_servers_have_stopped() -> None:
    with launch.throw_away_folder("tooling") as folder:
        with launch.running(["sleep", "60"], folder / "log", lambda: True) as process:
            assert process.poll() is None
        assert process.poll() is not None
    assert not folder.exists()


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    """A test folder with the project's fixtures and summary, and two tests of its own."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_probe.py").write_text(PROBE)
    return tmp_path


def run_probe(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the probe's tests with a PATH in which no service can be found."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    bare = {"PATH": str(folder), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(folder), *arguments, str(folder)],
        env=bare | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_missing_service_is_a_skip_that_is_named_at_the_end(probe: Path) -> None:
    run = run_probe(probe)
    assert run.returncode == 0
    assert "NOT RUN: 1 test: Redis is not installed." in run.stdout
    assert "sudo apt-get install redis-server" in run.stdout
    assert "Everything ran." not in run.stdout


def test_a_missing_service_is_a_failure_where_services_are_required(probe: Path) -> None:
    run = run_probe(probe, REQUIRE_SERVICES="1")
    assert run.returncode == 1
    assert "REQUIRE_SERVICES=1, but: Redis is not installed." in run.stdout
    assert "NOT RUN: 1 test: an error came first" in run.stdout


def test_a_run_that_was_narrowed_or_stopped_never_says_that_everything_ran(probe: Path) -> None:
    narrowed = run_probe(probe, "-k", "nothing")
    assert "NOT RUN: the tests that -k 'nothing' leaves out" in narrowed.stdout
    stopped = run_probe(probe, "-x", REQUIRE_SERVICES="1")
    assert "NOT RUN: the rest of the tests" in stopped.stdout
    (probe / "test_probe.py").write_text("")
    empty = run_probe(probe)
    assert empty.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    for run in (narrowed, stopped, empty):
        assert "Everything ran." not in run.stdout


def test_a_file_that_cannot_be_read_counts_as_not_run(probe: Path) -> None:
    (probe / "test_probe.py").write_text("import nothing_of_this_name\n")
    assert "NOT RUN: 1 test: an error came first" in run_probe(probe).stdout


def test_a_run_without_a_skip_says_that_everything_ran(probe: Path) -> None:
    (probe / "test_probe.py").write_text("def test_that_needs_nothing():\n    pass\n")
    run = run_probe(probe)
    assert run.returncode == 0
    assert "Everything ran." in run.stdout
