"""Figures of several processes are added up, and a folder that nobody uses is taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from prometheus_client import values

from app.monitoring import meters as figures
from tests.journeys.test_workers import wait_until
from tests.services.launch import free_port
from tests.support.live_shop import ROOT, LiveShop, live_shop

SECONDS = 30.0
PATH = "/api/products"
COUNTED = f'lipa_http_request_seconds_count{{method="GET",route="{PATH}",status="200"}}'


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop(extra_env={"LOG_FORMAT": "json"}) as shop:
        yield shop


@contextmanager
def gunicorn(shop: LiveShop, folder: Path, workers: int) -> Iterator[str]:
    """A server of somebody's own, with several workers on the shop's database."""
    root = f"http://127.0.0.1:{free_port()}"
    command = ["-m", "gunicorn", "-w", str(workers), "--threads", "2", "--no-control-socket"]
    process = subprocess.Popen(
        [sys.executable, *command, "-b", root.removeprefix("http://"), "app:create_app()"],
        cwd=ROOT,
        env=shop.env | {figures.FOLDER: str(folder)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_up(root), SECONDS)
        yield root
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def is_up(root: str) -> bool:
    try:
        return get(f"{root}/api/health").ok
    except requests.ConnectionError:
        return False


def get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=SECONDS)


def count(root: str) -> float:
    told = get(f"{root}/metrics").text.splitlines()
    found = [line for line in told if line.startswith(COUNTED)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def test_of_fifty_requests_to_two_workers_fifty_are_counted_whoever_is_asked(
    shop: LiveShop, tmp_path: Path
) -> None:
    with gunicorn(shop, tmp_path, workers=2) as root:
        sent = 0
        while sent < 50 or len(workers_that_counted(tmp_path)) < 2:
            assert get(root + PATH).status_code == 200
            sent += 1
            assert sent < 500, "one worker answered all of them"
        assert {count(root) for _ in range(8)} == {float(sent)}


def workers_that_counted(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("histogram_*.db")}


def test_the_shop_s_own_server_counts_beside_its_database_and_cleans_up(shop: LiveShop) -> None:
    folder = shop.folder / "lipa-metrics"
    before = count(shop.base_url)
    for _ in range(5):
        get(shop.base_url + PATH)
    assert count(shop.base_url) == before + 5
    assert workers_that_counted(folder)
    shop.stop()
    assert not folder.exists()
    shop.start()
    assert count(shop.base_url) == 0


def test_f10_each_line_that_the_server_logs_is_one_event_in_json(shop: LiveShop) -> None:
    """F10: from the greeting on, requests and all."""
    answer = get(f"{shop.base_url}/api/orders/1?x=1%0aforged")
    lines = [line for line in shop.log_text().splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    [mine] = [row for row in told if row.get("request_id") == answer.headers["X-Request-ID"]]
    assert mine["logger"] == "lipa.http"
    assert mine["level"] == "INFO"
    assert mine["at"].endswith("+00:00")


def test_figures_of_the_dead_stay_while_somebody_counts_and_go_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "figures"
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv(figures.FOLDER, "")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder.mkdir()
    left = folder / f"counter_{dead.pid}.db"
    left.touch()
    (folder / f"here-{dead.pid}").touch()
    living = folder / f"here-{os.getppid()}"
    living.touch()
    figures.share(folder)
    assert left.exists(), "somebody reads on, and a counter must not fall"
    figures.leave(folder)
    assert left.exists()
    living.unlink()
    figures.share(folder)
    assert not left.exists()
    figures.leave(folder)
    assert not folder.exists()
