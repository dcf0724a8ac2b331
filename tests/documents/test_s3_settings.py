"""The guide with ``/api/payments/`` for a school: its settings, its set-up and its commands."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flask import Flask

from app import create_app, doctor
from app.config import DARAJA_ROOTS, Environment, Settings, read_settings
from app.monitoring import OWN_LOGGERS
from app.settings.service import mpesa_settings, settings
from tests.documents.s3 import (
    CALLBACK,
    begun,
    refused,
    sample,
)
from tests.services.launch import free_port
from tests.services.postgres import PostgresServer
from tests.support.app import SAFARICOM, Account, Shop, application, explicit_settings
from tests.support.daraja import FakeDaraja

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72e1b1f430820"
#: What the document has people put into their `.env`, the fence's first word included.
DOT_ENV = f"""env
# Django Settings
SECRET_KEY=your-secret-key
DEBUG=True
ALLOWED_HOSTS=localhost,127.0.0.1

# Database
DB_NAME=your_db_name
DB_USER=your_db_user
DB_PASSWORD=your_db_password
DB_PORT=5432

# M-Pesa Daraja Configuration
MPESA_CONSUMER_KEY=your_consumer_key
MPESA_CONSUMER_SECRET=your_consumer_secret
MPESA_SHORTCODE=174379
MPESA_PASSKEY={PASSKEY}
MPESA_CALLBACK_URL=http://localhost:8000/api/payments/callback/
MPESA_ENVIRONMENT=sandbox

# B2C Settings (for refunds)
MPESA_B2C_INITIATOR_NAME=your_initiator_name
MPESA_B2C_INITIATOR_PASSWORD=your_initiator_password
"""
LIVE = {
    "mpesa_environment": "production",
    "mpesa_consumer_key": "your_production_consumer_key",
    "mpesa_consumer_secret": "your_production_consumer_secret",
    "mpesa_shortcode": "600123",
    "mpesa_passkey": "your_production_passkey",
    "mpesa_callback_url": "https://yourdomain.com/api/payments/callback/",
    **dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44),
}


@pytest.fixture
def dot_env(tmp_path: Path) -> Settings:
    file = tmp_path / ".env"
    file.write_text(DOT_ENV)
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=file)


def test_s3_05_s3_06_s3_08_to_s3_22_every_name_of_the_printed_file_is_read(
    dot_env: Settings,
) -> None:
    """S3-05, S3-06, S3-08, S3-09, S3-10, S3-11, S3-12, S3-13, S3-14, S3-15, S3-16, S3-17,
    S3-18, S3-19, S3-20, S3-21, S3-22.
    """
    assert (dot_env.secret_key, dot_env.debug) == ("your-secret-key", True)
    assert dot_env.allowed_hosts == "localhost,127.0.0.1"
    assert dot_env.sqlalchemy_url == (
        "postgresql+psycopg://your_db_user:your_db_password@localhost:5432/your_db_name"
    )
    assert dot_env.mpesa_environment is Environment.SANDBOX
    assert dot_env.daraja_root == DARAJA_ROOTS[Environment.SANDBOX]
    assert dot_env.mpesa_consumer_key == "your_consumer_key"
    assert dot_env.mpesa_consumer_secret == "your_consumer_secret"
    assert (dot_env.mpesa_shortcode, dot_env.mpesa_passkey) == ("174379", PASSKEY)
    assert dot_env.mpesa_callback_url == "http://localhost:8000/api/payments/callback/"
    assert dot_env.mpesa_b2c_initiator_name == "your_initiator_name"
    assert dot_env.mpesa_b2c_initiator_password == "your_initiator_password"


def test_s3_23_the_template_has_the_printed_names_without_values() -> None:
    """S3-23."""
    template = (ROOT / ".env.example").read_text()
    for name in re.findall(r"^(MPESA_\w+)=", DOT_ENV, re.M):
        assert re.search(rf"^{name}=$", template, re.M), name
    # Without an account the simulator works and the sandbox does not, so that stands first.
    assert "simulator (no account needed), sandbox, or production" in template


def test_s3_02_s3_11_to_s3_14_s3_26_a_database_in_pieces_is_migrated_and_used(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """S3-02, S3-11, S3-12, S3-13, S3-14, S3-26."""
    postgres_server.create_database("school")
    pieces = {"db_name": "school", "db_user": "postgres", "db_password": "not asked for"}
    place = {"db_host": "127.0.0.1", "db_port": postgres_server.port}
    with application("", tmp_path, **pieces, **place) as app:
        assert app.test_client().get("/api/health").status_code == 200
        assert app.test_client().get("/api/products").get_json()["total"] == 0


def test_s3_19_s3_55_the_documents_callback_address_is_what_daraja_gets(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-19, S3-55."""
    tunnel = "https://abc123.ngrok-free.app/api/payments/callback/"
    shop.set(mpesa_callback_url=tunnel)
    payment = begun(shop, shopper)
    assert daraja.pushes[0]["CallBackURL"] == f"{tunnel}?token={payment.callback_token}"


def test_s3_20_the_environment_decides_whom_we_speak_to() -> None:
    """S3-20."""
    roots = {
        name: explicit_settings(**(LIVE if name == "production" else {"mpesa_environment": name}))
        for name in ("simulator", "sandbox", "production")
    }
    assert roots["simulator"].daraja_root == "http://127.0.0.1:5001"
    assert roots["sandbox"].daraja_root == "https://sandbox.safaricom.co.ke"
    assert roots["production"].daraja_root == "https://api.safaricom.co.ke"


# Going live.


def test_s3_62_s3_63_the_printed_production_block_is_taken() -> None:
    """S3-62, S3-63."""
    live = explicit_settings(**LIVE)
    assert live.is_production
    assert not live.debug


@pytest.mark.parametrize(
    "name",
    ["mpesa_callback_url", "mpesa_b2c_result_url", "mpesa_b2c_timeout_url", "public_url"],
)
def test_s3_63_production_refuses_an_address_without_https(name: str) -> None:
    """S3-63: C-35."""
    with pytest.raises(ValueError, match=name.upper()):
        explicit_settings(**LIVE | {name: "http://yourdomain.com/api/payments/callback/"})


def test_s3_63_plain_http_is_refused_in_words() -> None:
    """S3-63."""
    with mock.patch.dict(os.environ, clear=True), pytest.raises(SystemExit) as ended:
        read_settings(_env_file=None, **LIVE | {"mpesa_callback_url": "http://yourdomain.com/"})
    assert "https:// address in MPESA_CALLBACK_URL" in str(ended.value)


def test_s3_67_how_to_back_up_is_written_down() -> None:
    """S3-67."""
    going_live = (ROOT / "docs" / "going-live.md").read_text()
    assert "pg_dump" in going_live
    assert ".backup" in going_live


# DEBUG.


@pytest.mark.parametrize("word", ["True", "true", "1", "yes", "on", " TRUE "])
def test_s3_09_debug_is_switched_on_by_a_plain_yes(word: str) -> None:
    """S3-09."""
    assert explicit_settings(debug=word).debug is True


@pytest.mark.parametrize("word", ["False", "0", "", "no", "off", "*", "express:*", "release"])
def test_s3_09_what_other_programs_mean_by_debug_is_nothing_to_us(word: str) -> None:
    """S3-09."""
    assert explicit_settings(debug=word).debug is False


def test_s3_09_debug_says_more_in_the_log_and_opens_no_debugger(tmp_path: Path) -> None:
    """S3-09."""
    levels = {name: logging.getLogger(name).level for name in OWN_LOGGERS}
    database = f"sqlite:///{tmp_path / 'lipa.db'}"
    try:
        app = create_app(explicit_settings(debug="True", database_url=database))
        assert {logging.getLogger(name).level for name in OWN_LOGGERS} == {logging.DEBUG}
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert (app.debug, app.testing) == (False, False)
    _fails(app)
    answer = app.test_client().get("/api/fails")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text


def _fails(app: Flask) -> None:
    @app.get("/api/fails")
    def fails() -> str:
        raise RuntimeError("secret")


def test_s3_09_production_refuses_debug() -> None:
    """S3-09."""
    with pytest.raises(ValueError, match="DEBUG"):
        explicit_settings(**LIVE, debug="True")


# ALLOWED_HOSTS.


def asked_as(shop: Shop, host: str, path: str = "/api/health") -> Any:
    # The Host header goes as it is, whatever it is.
    return shop.client().get(path, environ_overrides={"HTTP_HOST": host})


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:65535", "LOCALHOST"),
        *("localhost.", "shop.test", "shop.test:443"),
    ],
)
def test_s3_10_the_listed_names_and_the_public_one_are_answered(shop: Shop, host: str) -> None:
    """S3-10."""
    shop.set(allowed_hosts="localhost, 127.0.0.1,")
    assert asked_as(shop, host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "evil-localhost", "127.0.0.11", ""),
        *("a@localhost", "localhost@evil.example", "evil.example/localhost", "[", "[::1", "a b"),
    ],
)
def test_s3_10_any_other_name_gets_400_in_the_shape_of_errors(shop: Shop, host: str) -> None:
    """S3-10."""
    shop.set(allowed_hosts="localhost,127.0.0.1")
    body = refused(asked_as(shop, host), 400, "VALIDATION_ERROR")
    assert "ALLOWED_HOSTS" in body["message"]
    for path in ("/", "/api/products", "/sign-in", "/static/js/payments.js", "/nowhere"):
        assert asked_as(shop, host, path).status_code == 400, path
    browser = {"environ_overrides": {"HTTP_HOST": host}, "headers": {"Accept": "text/html"}}
    page = shop.client().get("/", **browser)
    assert (page.status_code, page.mimetype) == (400, "text/html")


@pytest.mark.parametrize(
    ("listed", "host", "expected"),
    [
        (None, "anything.example", 200),
        (" , ", "anything.example", 200),
        ("*", "anything.example", 200),
        (".shop.example", "shop.example", 200),
        (".shop.example", "pay.shop.example:5000", 200),
        (".shop.example", "notshop.example", 400),
        ("shop.example", "pay.shop.example", 400),
        ("[::1]", "[::1]:5000", 200),
    ],
)
def test_s3_10_a_list_is_read_as_its_writers_know_it(
    shop: Shop, listed: str | None, host: str, expected: int
) -> None:
    """S3-10."""
    shop.set(allowed_hosts=listed)
    assert asked_as(shop, host).status_code == expected


def test_s3_10_an_address_in_the_list_is_a_mistake_that_is_told() -> None:
    """S3-10."""
    with pytest.raises(ValueError, match="takes names"):
        explicit_settings(allowed_hosts="https://shop.example")


def test_s3_10_s3_56_a_callback_through_the_tunnel_is_taken_under_its_name(
    shop: Shop, shopper: Account
) -> None:
    """S3-10, S3-56.

    The printed list does not name the tunnel that the printed callback address does.
    """
    shop.set(allowed_hosts="localhost,127.0.0.1")
    payment = begun(shop, shopper)
    body = sample(payment.checkout_request_id)
    body["Body"]["stkCallback"]["MerchantRequestID"] = payment.merchant_request_id
    answer = shop.client().post(
        f"{CALLBACK}?token={payment.callback_token}",
        json=body,
        environ_overrides={"HTTP_HOST": "abc123.ngrok-free.app", "REMOTE_ADDR": SAFARICOM},
    )
    assert answer.status_code == 200
    assert shop.fresh(payment).status == "completed"


# The account for money out.


def out(shop: Shop) -> tuple[list[str], list[str]]:
    """What the doctor finds and remarks about money out."""
    with shop.app.app_context():
        found = doctor._money_out(shop.app.extensions["lipa_settings"])
        return [finding.problem for finding in found], doctor.remarks()


def test_s3_21_s3_22_the_doctor_shows_the_account_for_money_out_and_none_of_its_secrets(
    shop: Shop,
) -> None:
    """S3-21, S3-22: C-31."""
    assert out(shop) == ([], [])
    name = "your_initiator_name"
    shop.set(mpesa_b2c_initiator_name=name, mpesa_b2c_initiator_password="hidden!")
    assert out(shop) == ([], [f"Money out: initiator {name}, the initiator's password is set."])
    shop.set(mpesa_b2c_initiator_password=None, mpesa_b2c_security_credential="hidden too!")
    shop.set(mpesa_b2c_shortcode="600000")
    problems, remarks = out(shop)
    assert (problems, "hidden" in str(remarks)) == ([], False)
    assert "shortcode 600000" in remarks[0]
    with shop.app.app_context():
        said = shop.app.test_cli_runner().invoke(args=["doctor"]).output
    assert remarks[0] in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mpesa_b2c_initiator_name": "testapi"}, "without a secret"),
        ({"mpesa_b2c_initiator_password": "x"}, "without a name"),
        ({"mpesa_b2c_security_credential": "x"}, "without a name"),
    ],
)
def test_s3_21_s3_22_half_an_initiator_is_a_finding(
    shop: Shop, given: dict[str, str], words: str
) -> None:
    """S3-21, S3-22."""
    shop.set(**given)
    (problem,) = out(shop)[0]
    assert words in problem


# Troubleshooting.


def test_s3_77_a_database_that_does_not_answer_is_named_by_the_doctor_and_is_503(
    tmp_path: Path,
) -> None:
    """S3-77."""
    nowhere = {"db_name": "your_db_name", "db_user": "u", "db_host": "127.0.0.1"}
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key"), "s" * 44)
    broken = explicit_settings(**nowhere, **secrets, db_port=free_port())
    with mock.patch("app.assembly.queue_file", return_value=tmp_path / "jobs.db"):
        app = create_app(broken)
    with app.app_context():
        problems = [finding.problem for finding in doctor.examine()]
    assert any("The database does not answer" in problem for problem in problems)
    answer = app.test_client().get("/api/products")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_s3_63_s3_72_the_doctor_says_when_callbacks_cannot_arrive(shop: Shop) -> None:
    """S3-63, S3-72."""
    shop.set(mpesa_environment=Environment.SANDBOX)
    for address, words in (
        ("http://localhost:8000/api/payments/callback/", "Safaricom cannot reach"),
        ("http://school.example/api/payments/callback/", "plain HTTP"),
    ):
        shop.set(mpesa_callback_url=address)
        with shop.app.app_context():
            assert mpesa_settings().callback_url == address
            (finding,) = doctor._addresses(settings())
        assert words in finding.problem


# The commands of the documents.


def table() -> str:
    return README.partition("\n### If your notes say")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    "printed",
    [
        *("cd backend", "source venv/bin/activate", ".venv/Scripts/activate", "python run.py"),
        *("pip install requests==2.31.0", "python manage.py migrate", "backend/.env"),
        *("python manage.py makemigrations payments", "python manage.py runserver"),
        *("python manage.py shell", "python manage.py init_mpesa_settings", "ngrok http 8000"),
        *("python manage.py set_mpesa_credentials --interactive", "grep MPESA .env"),
        *("python manage.py test_mpesa_connection", "Payment.objects.count()"),
        *("from payments.models import Payment, MpesaConfiguration", "import PaymentTransaction"),
        *("MpesaConfiguration.objects.count()", "python test_mpesa_payment.py"),
        *("MpesaCallbackView().post(None, json.dumps(callback_data))", "response.status_code"),
        *("payment.refresh_from_db().status", "python test_mpesa_callback.py"),
        'Payment.objects.create(…, status="pending")',
    ],
)
def test_s3_24_to_s3_29_s3_47_s3_54_s3_57_to_s3_61_every_printed_command_has_its_row(
    printed: str,
) -> None:
    """S3-24, S3-25, S3-26, S3-27, S3-28, S3-29, S3-47, S3-54, S3-57, S3-58, S3-59, S3-60, S3-61.

    C-37.
    """
    assert f"`{printed}`" in table()


def test_s3_47_the_port_of_the_notes_is_an_option_of_the_server() -> None:
    """S3-47."""
    assert ".venv/bin/python run.py --port 8000" in table()
    assert explicit_settings(port=8000).public_root == "http://127.0.0.1:8000"
