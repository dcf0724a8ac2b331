"""The background engine: as a program beside the server, on each queue, and through a stop."""

from __future__ import annotations

import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import Result
from flask import Flask
from sqlalchemy import inspect, text

from app import jobs as background
from app.core.clock import now
from app.extensions import db
from app.jobs import Jobs, make_queue
from app.server import Server
from tests.journeys.test_another_daraja import Buyer
from tests.journeys.test_realtime import Listener
from tests.services.launch import free_port, running, throw_away_folder
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer, find_program
from tests.support.app import application, explicit_settings
from tests.support.daraja import Answer, FakeDaraja, ended, paid
from tests.support.live_shop import ROOT, LiveShop, live_shop

START_SECONDS = 30
#: The first question about a silent prompt comes after 15 seconds.
FIRST_ASK_SECONDS = 40
#: What is asked without delay; far less than the pause between two sweeps.
SOON_SECONDS = 20
#: Work in hand has four seconds, and Python needs some tenths to end on a busy machine.
STOP_SECONDS = 6
SUCCESS = ended("0", "The service request is processed successfully.")


@dataclass
class Place:
    """A shop whose server does no background work, its Daraja, and a Redis that can be stopped."""

    shop: LiveShop
    daraja: FakeDaraja
    redis_port: int = 0
    _redis: ExitStack = field(default_factory=ExitStack)

    def start_redis(self) -> None:
        self._redis.enter_context(redis_on(self.redis_port))

    def stop_redis(self) -> None:
        self._redis.close()

    def call_back(self, checkout_request_id: str, receipt: str, *, with_token: bool) -> None:
        """Post a success from this machine, which is one proof; the token is the other."""
        push = self.daraja.pushes[-1]
        url = push["CallBackURL"] if with_token else push["CallBackURL"].partition("?")[0]
        body = paid(checkout_request_id, amount=push["Amount"], receipt=receipt)
        assert requests.post(url, json=body, timeout=10).status_code == 200

    def asked(self, checkout_request_id: str) -> int:
        """How often Daraja was asked about a prompt."""
        named = [query["CheckoutRequestID"] for query in self.daraja.queries]
        return named.count(checkout_request_id)


class Worker:
    """`flask worker`, with a shop's settings, that has said that it works."""

    def __init__(self, shop: LiveShop, folder: Path) -> None:
        self.log = folder / "worker.log"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", "worker", "--threads", "2"],
                cwd=ROOT,
                env=shop.env,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        self.says = self.process.stdout.readline()
        assert self.says.startswith("Working on the queue in "), self.log.read_text()

    def stop(self, number: signal.Signals) -> float:
        """Ask it to end, and return after how many seconds it did so in good order."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(START_SECONDS) == 0, self.log.read_text()
        return time.monotonic() - began

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def redis_on(port: int) -> Iterator[None]:
    """Run a Redis on a port that stays the same from one start to the next."""
    with throw_away_folder("redis") as folder:
        command = [find_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with running(command, folder / "redis.log", RedisServer(port).answers):
            yield


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} seconds"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def place(
    daraja: FakeDaraja, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Place]:
    port = free_port()
    extra = {
        "EMBEDDED_WORKER": "false",
        "MPESA_BASE_URL": daraja.url,
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
    }
    with ExitStack() as redis:
        redis.enter_context(redis_on(port))
        database = postgres_server.create_database("workers")
        with live_shop(database_url=database, extra_env=extra) as shop:
            yield Place(shop, daraja, port, redis)


@pytest.fixture(autouse=True)
def _calm_daraja(request: pytest.FixtureRequest) -> None:
    if "place" in request.fixturenames or "daraja" in request.fixturenames:
        request.getfixturevalue("daraja").reset()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[LiveShop], Worker]]:
    started: list[Worker] = []

    def start(shop: LiveShop) -> Worker:
        started.append(Worker(shop, tmp_path))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


# As programs of their own.


def test_c4_a_payment_of_which_nothing_is_heard_is_paid_by_the_worker_that_still_lives(
    place: Place, start_worker: Callable[[LiveShop], Worker]
) -> None:
    first, second = start_worker(place.shop), start_worker(place.shop)
    assert first.says == second.says
    assert f"Redis at 127.0.0.1:{place.redis_port}" in first.says
    buyer = Buyer(place.shop)
    place.daraja.query_answer = SUCCESS
    order_id, checkout_request_id = buyer.start_payment()
    first.kill()
    wait_until(lambda: place.asked(checkout_request_id) > 0, FIRST_ASK_SECONDS)
    # Nobody has looked at the order until here; reading it asks nothing.
    wait_until(lambda: buyer.order(order_id)["status"] == "paid", SOON_SECONDS)
    assert place.asked(checkout_request_id) == 1
    assert second.stop(signal.SIGINT) < STOP_SECONDS


def test_a_worker_told_to_stop_does_not_wait_for_a_silent_daraja(
    place: Place, start_worker: Callable[[LiveShop], Worker]
) -> None:
    worker, buyer = start_worker(place.shop), Buyer(place.shop)
    let_go = threading.Event()

    def silent(query: dict[str, Any]) -> Answer:
        let_go.wait(START_SECONDS)
        return SUCCESS(query)

    place.daraja.query_answer = silent
    _, checkout_request_id = buyer.start_payment()
    place.call_back(checkout_request_id, "UKL9SILENT", with_token=False)
    wait_until(lambda: place.asked(checkout_request_id) > 0, SOON_SECONDS)
    try:
        # Its four seconds, and what a busy machine takes to end a program; not Daraja's ten.
        assert worker.stop(signal.SIGTERM) < 9
    finally:
        let_go.set()


def test_without_redis_payments_go_on_and_what_was_due_is_found_afterwards(
    place: Place, start_worker: Callable[[LiveShop], Worker]
) -> None:
    patient, buyer = start_worker(place.shop), Buyer(place.shop)
    place.daraja.query_answer = SUCCESS
    place.stop_redis()
    try:
        order_id, checkout_request_id = buyer.start_payment()
        place.call_back(checkout_request_id, "UKL9REDIS1", with_token=True)
        assert buyer.order(order_id)["status"] == "paid"
        lost_id, lost = buyer.start_payment()
        place.call_back(lost, "UKL9REDIS2", with_token=False)
        assert place.asked(lost) == 0
    finally:
        place.start_redis()
    found_id, found = buyer.start_payment()
    place.call_back(found, "UKL9REDIS3", with_token=False)
    wait_until(lambda: buyer.order(found_id)["status"] == "paid", SOON_SECONDS)
    assert patient.process.poll() is None
    # The sweep of a worker that starts comes at once, and not only after a minute.
    start_worker(place.shop)
    wait_until(lambda: buyer.order(lost_id)["status"] == "paid", SOON_SECONDS)


def test_a6_a_push_in_flight_is_answered_before_the_server_ends(place: Place) -> None:
    buyer, listener = Buyer(place.shop), Listener(place.shop, None)
    place.daraja.push_answer = lambda push: place.daraja.accept(push, delay_seconds=3)
    answers: queue.Queue[tuple[str, str]] = queue.Queue()
    payer = threading.Thread(target=lambda: answers.put(buyer.start_payment()))
    payer.start()
    wait_until(lambda: bool(place.daraja.pushes), SOON_SECONDS)
    began = time.monotonic()
    place.shop.stop()
    took = time.monotonic() - began
    payer.join(1)
    order_id, checkout_request_id = answers.get_nowait()
    place.shop.start()
    assert 2 < took < 12, "it waits for Daraja, and not for the socket that stays open"
    wait_until(lambda: not listener.socket.connected, 1)
    place.call_back(checkout_request_id, "UKL9DEPLOY", with_token=True)
    assert buyer.order(order_id)["status"] == "paid"


def test_a_worker_beside_a_sqlite_shop_finishes_what_it_has_in_hand_when_told_to_stop(
    daraja: FakeDaraja, start_worker: Callable[[LiveShop], Worker]
) -> None:
    def slow_success(query: dict[str, Any]) -> Answer:
        time.sleep(1.5)
        return SUCCESS(query)

    extra = {"EMBEDDED_WORKER": "false", "MPESA_BASE_URL": daraja.url}
    with live_shop(extra_env=extra) as shop:
        place, buyer, worker = Place(shop, daraja), Buyer(shop), start_worker(shop)
        assert "lipa-jobs.db" in worker.says
        daraja.query_answer = slow_success
        order_id, checkout_request_id = buyer.start_payment()
        place.call_back(checkout_request_id, "UKL9SQLITE", with_token=False)
        wait_until(lambda: place.asked(checkout_request_id) > 0, SOON_SECONDS)
        assert worker.stop(signal.SIGTERM) < STOP_SECONDS
        assert buyer.order(order_id)["status"] == "paid"


# Inside this process.


@contextmanager
def alone(folder: Path, **given: Any) -> Iterator[tuple[Flask, Jobs]]:
    """An application on SQLite, and its background engine."""
    with application(f"sqlite:///{folder / 'lipa.db'}", folder, **given) as app:
        jobs: Jobs = app.extensions["lipa_jobs"]
        yield app, jobs
        jobs.stop()


def run_command(app: Flask, name: str) -> Result:
    with app.app_context():
        return app.test_cli_runner().invoke(args=[name])


def test_the_sweep_comes_at_once_and_again_while_the_queue_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: queue.Queue[datetime] = queue.Queue()
    monkeypatch.setattr(background, "sweep", lambda: swept.put(now()))
    with alone(tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0") as (_, jobs):
        jobs.start(threads=1)
        swept.get(timeout=SOON_SECONDS)
        jobs.stop()
        monkeypatch.setattr(background, "SWEEP_SECONDS", 0.1)
        jobs.start(threads=1)
        for _ in range(3):
            swept.get(timeout=SOON_SECONDS)


def test_a_thread_that_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: queue.Queue[int] = queue.Queue()

    def deadly(payment_id: int) -> None:
        asked.put(payment_id)
        raise SystemExit

    monkeypatch.setattr(background, "ask", deadly)
    monkeypatch.setattr(background, "sweep", lambda: None)
    monkeypatch.setattr(background, "SWEEP_SECONDS", 0.1)
    with alone(tmp_path) as (app, jobs), app.app_context():
        jobs.open()
        jobs.start(threads=1)
        for payment_id in (1, 2):
            jobs.wake(None, payment_id=payment_id, at=now())
            assert asked.get(timeout=SOON_SECONDS) == payment_id


def test_a_server_process_inherits_no_database_connection_of_its_parent(tmp_path: Path) -> None:
    with alone(tmp_path) as (app, _), app.app_context():
        server = Server(app, app.extensions["lipa_settings"], on_ready=lambda _: None)
        db.session.execute(text("SELECT 1"))
        db.session.remove()
        assert "Connections in pool: 1" in db.engine.pool.status()
        server.cfg.pre_fork(None, None)
        assert "Connections in pool: 0" in db.engine.pool.status()


def test_a_redis_that_hangs_costs_a_payment_less_than_a_second(tmp_path: Path) -> None:
    # Connections are taken in by the kernel, and nobody ever answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with alone(tmp_path, redis_url=url) as (app, jobs), app.app_context():
            began = time.monotonic()
            jobs.wake(None, payment_id=1, at=now())
            assert 0.5 < time.monotonic() - began < 1.5


def test_a_queue_that_nobody_empties_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 3)
    with alone(tmp_path) as (app, jobs), app.app_context():
        jobs.open()
        for payment_id in range(6):
            jobs.wake(None, payment_id=payment_id, at=now())
        settings = app.extensions["lipa_settings"]
        waiting = make_queue(settings, tmp_path / "jobs.db", settings.secret_key)
        assert waiting.pending_count() == 3
        waiting.storage.close()


def test_two_shops_on_one_redis_have_two_queues(tmp_path: Path) -> None:
    names = {
        make_queue(
            explicit_settings(database_url=f"sqlite:////srv/{shop}.db", redis_url="redis://r/0"),
            tmp_path / "jobs.db",
            "secret",
        ).name
        for shop in ("duka", "soko")
    }
    assert len(names) == 2


def test_no_migration_sees_the_queue_that_several_processes_make_in_postgresql(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with application(postgres_server.create_database("queue"), tmp_path) as app:
        settings = app.extensions["lipa_settings"]
        queues = [make_queue(settings, tmp_path / "no.db", "secret") for _ in range(8)]
        with ThreadPoolExecutor(len(queues)) as pool:
            list(pool.map(lambda made: made.storage.initialize_schema(), queues))
        assert queues[0].pending_count() == 0
        queues[0].storage.close()
        with app.app_context():
            seen = inspect(db.engine)
            assert "huey_task" in seen.get_table_names(schema=background.POSTGRES_SCHEMA)
            assert not [name for name in seen.get_table_names() if "huey" in name]


def test_a_worker_says_why_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0") as (app, _):
        assert "The queue in Redis at 127.0.0.1" in refusal_of_a_worker(app)
        monkeypatch.setattr("app.commands.is_up_to_date", lambda: False)
        assert "Run `flask prepare`" in refusal_of_a_worker(app)
        app.extensions["lipa_settings"].secret_key = None
        assert "Set SECRET_KEY" in refusal_of_a_worker(app)


def refusal_of_a_worker(app: Flask) -> str:
    done = run_command(app, "worker")
    assert done.exit_code == 1
    return done.output


@pytest.mark.parametrize("embedded", [True, False])
def test_the_doctor_sees_a_queue_that_is_away(tmp_path: Path, embedded: bool) -> None:
    url = f"redis://shop:a-password@127.0.0.1:{free_port()}/0"
    with alone(tmp_path, redis_url=url, embedded_worker=embedded) as (app, _):
        app.extensions["lipa_settings"].settings_encryption_key = "k" * 43 + "="
        done = run_command(app, "doctor")
        assert "The queue in Redis at 127.0.0.1" in done.output
        assert "a-password" not in done.output
