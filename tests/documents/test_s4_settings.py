"""The shop guide: its settings, its going live, and what its pages have to say."""

from __future__ import annotations

import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from app import doctor
from app.config import DARAJA_ROOTS, SANDBOX_PASSKEY, Environment, Settings, read_settings
from app.settings.service import mpesa_settings
from scripts import write_env
from tests.documents.s4 import (
    DOT_ENV,
    PASSKEY,
    PRODUCTION_ENV,
    ROOT,
    SANDBOX_ENV,
    begun,
    order,
)
from tests.support.app import Account, Shop, explicit_settings
from tests.support.daraja import FakeDaraja

README = (ROOT / "README.md").read_text()
GOING_LIVE = (ROOT / "docs" / "going-live.md").read_text()
SECRETS = dict.fromkeys(("SECRET_KEY", "JWT_SECRET_KEY", "SETTINGS_ENCRYPTION_KEY"), "s" * 44)
ReadEnv = Callable[..., Settings]


@pytest.fixture
def read_env(tmp_path: Path) -> ReadEnv:
    """Reads a text as the project's `.env`, with nothing in the environment but ``more``."""

    def read(text: str, **more: str) -> Settings:
        file = tmp_path / ".env"
        file.write_text(text)
        with mock.patch.dict(os.environ, more, clear=True):
            return read_settings(_env_file=file)

    return read


def section(title: str) -> str:
    """The README's text under a heading, up to the next one of the same rank or above."""
    head, _, rest = README.partition(f" {title}\n")
    rank = len(head.rpartition("\n")[2])
    assert rest, title
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.M)[0]


# The file.


def test_s4_12_to_s4_22_every_name_of_the_printed_file_is_read_remarks_and_all(
    read_env: ReadEnv,
) -> None:
    """S4-11, S4-12, S4-13, S4-14, S4-15, S4-16, S4-17, S4-18, S4-19, S4-20, S4-21, S4-22."""
    read = read_env(DOT_ENV)
    assert read.mpesa_environment is Environment.SANDBOX
    assert read.daraja_root == DARAJA_ROOTS[Environment.SANDBOX]
    assert (read.mpesa_consumer_key, read.mpesa_consumer_secret) == (
        "your_consumer_key",
        "your_consumer_secret",
    )
    assert (read.mpesa_shortcode, read.mpesa_passkey) == ("174379", "your_passkey")
    domain = "https://your-domain.com/api/payments"
    assert read.mpesa_callback_url == f"{domain}/mpesa/callback"
    assert (read.mpesa_b2c_shortcode, read.mpesa_b2c_initiator_name) == ("600000", "testapi")
    assert read.mpesa_b2c_security_credential == "your_credential"
    assert read.mpesa_b2c_result_url == f"{domain}/b2c/result"
    assert read.mpesa_b2c_timeout_url == f"{domain}/b2c/timeout"


def test_s4_12_to_s4_22_the_template_has_every_printed_name_without_a_value() -> None:
    """S4-10, S4-12, S4-13, S4-14, S4-15, S4-16, S4-17, S4-18, S4-19, S4-20, S4-21, S4-22."""
    template = (ROOT / ".env.example").read_text()
    for name in re.findall(r"^(MPESA_\w+)=", DOT_ENV, re.M):
        assert re.search(rf"^{name}=$", template, re.M), name
        assert f"`{name}`" in section("Settings"), name


def test_s4_18_to_s4_22_the_doctor_shows_what_is_set_for_money_out_and_no_secret(
    shop: Shop, read_env: ReadEnv
) -> None:
    """S4-18, S4-19, S4-20, S4-21, S4-22: C-31."""
    read = read_env(DOT_ENV)
    shop.set(
        **{name: getattr(read, name) for name in Settings.model_fields if "_b2c_" in name},
    )
    with shop.app.app_context():
        (told,) = [words for words in doctor.remarks() if words.startswith("Money out")]
    for shown in ("600000", "testapi", "/api/payments/b2c/result", "/api/payments/b2c/timeout"):
        assert shown in told
    assert "credential is set" in told
    assert "your_credential" not in told


def test_s4_23_the_printed_sandbox_block_is_taken_and_its_passkey_is_the_real_one(
    read_env: ReadEnv,
) -> None:
    """S4-23, S4-15: C-16."""
    assert read_env(SANDBOX_ENV).mpesa_passkey == PASSKEY == SANDBOX_PASSKEY


def test_s4_13_to_s4_16_what_is_set_is_what_daraja_is_told(
    shop: Shop, shopper: Account, daraja: FakeDaraja, read_env: ReadEnv
) -> None:
    """S4-13, S4-14, S4-15, S4-16, S4-23."""
    read = read_env(SANDBOX_ENV)
    shop.set(**{name: getattr(read, name) for name in read.model_fields_set})
    begun(shop, shopper, order(shop, shopper))
    fetched = next(asked for asked in daraja.requests if asked.path.startswith("/oauth"))
    account = b64encode(b"your_sandbox_consumer_key:your_sandbox_consumer_secret").decode()
    assert fetched.headers["Authorization"] == f"Basic {account}"
    (push,) = daraja.pushes
    assert push["BusinessShortCode"] == "174379"
    with shop.app.app_context():
        assert mpesa_settings().passkey == PASSKEY


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "http://shop.test/api/payments/mpesa/callback"),
        (
            {"mpesa_callback_url": "https://abc123.ngrok-free.app/api/payments/mpesa/callback"},
            "https://abc123.ngrok-free.app/api/payments/mpesa/callback",
        ),
    ],
)
def test_s4_17_the_printed_callback_address_is_the_default_and_what_daraja_gets(
    shop: Shop, shopper: Account, daraja: FakeDaraja, given: dict[str, str], wanted: str
) -> None:
    """S4-17: C-34."""
    shop.set(**given)
    payment = begun(shop, shopper, order(shop, shopper))
    assert daraja.pushes[0]["CallBackURL"] == f"{wanted}?token={payment.callback_token}"


def test_s4_26_s4_118_the_port_is_5000_and_a_prompt_lives_sixty_seconds(
    shop: Shop, shopper: Account
) -> None:
    """S4-26, S4-118."""
    plain = explicit_settings()
    assert (plain.port, plain.stk_prompt_seconds) == (5000, 60)
    payment = begun(shop, shopper, order(shop, shopper))
    lives = (payment.prompt_expires_at - payment.created_at).total_seconds()
    assert lives == pytest.approx(60, abs=2)


def test_s4_76_grep_shows_what_is_set(tmp_path: Path) -> None:
    """S4-76, S4-11: the project's folder is the guide's `backend`."""
    write_env.create(tmp_path / ".env", ROOT / ".env.example")
    assert "`grep MPESA .env`" in section("If your notes say …")
    done = subprocess.run(
        ["grep", "MPESA", ".env"], cwd=tmp_path, capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 0
    for name in re.findall(r"^(MPESA_\w+)=", DOT_ENV, re.M):
        assert f"{name}=" in done.stdout


# Going live.


def test_s4_86_the_printed_production_block_is_taken(read_env: ReadEnv) -> None:
    """S4-86, S4-12."""
    live = read_env(PRODUCTION_ENV, **SECRETS)
    assert live.is_production
    assert live.daraja_root == "https://api.safaricom.co.ke"
    assert live.mpesa_callback_url == "https://yourdomain.com/api/payments/mpesa/callback"


@pytest.mark.parametrize(
    "name",
    ["MPESA_CALLBACK_URL", "MPESA_B2C_RESULT_URL", "MPESA_B2C_TIMEOUT_URL", "PUBLIC_URL"],
)
def test_s4_87_s4_104_production_does_not_start_without_https(read_env: ReadEnv, name: str) -> None:
    """S4-87, S4-104: C-35."""
    with pytest.raises(SystemExit) as ended:
        read_env(PRODUCTION_ENV, **SECRETS, **{name: "http://yourdomain.com/"})
    assert f"https:// address in {name}" in str(ended.value)


def test_s4_87_s4_88_s4_89_going_live_says_what_to_do_and_to_enter() -> None:
    """S4-86, S4-87, S4-88, S4-89, S4-104."""
    for name in re.findall(r"^(MPESA_\w+)=", PRODUCTION_ENV, re.M):
        assert name in GOING_LIVE + section("Settings")
    assert "sudo certbot --nginx -d" in GOING_LIVE
    assert re.search(r"apt-get install .*certbot python3-certbot-nginx", GOING_LIVE)
    assert "Tell Safaricom the address of your server" in GOING_LIVE
    for path in ("mpesa/callback", "b2c/result", "b2c/timeout"):
        assert f"`https://shop.example/api/payments/{path}`" in GOING_LIVE


def test_c_40_going_live_says_how_bodies_are_kept_and_what_a_new_key_means() -> None:
    assert "kept encrypted with `SETTINGS_ENCRYPTION_KEY`" in GOING_LIVE
    assert "flask callbacks show ID" in GOING_LIVE


def test_s4_108_going_live_says_which_lines_to_be_alerted_by() -> None:
    """S4-108."""
    assert "`suspicious:` (level WARNING, logger `payments.mpesa`)" in GOING_LIVE


# Keeping it safe.


def test_s4_102_git_keeps_no_credentials() -> None:
    """S4-102."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if listed.returncode != 0:
        pytest.skip("git does not know these files. Look at a clone of the repository instead")
    names = listed.stdout.splitlines()
    assert [name for name in names if Path(name).name.startswith(".env")] == [".env.example"]
    template = (ROOT / ".env.example").read_text()
    for name in re.findall(r"^(\w*(?:KEY|SECRET|PASSKEY|PASSWORD|CREDENTIAL))=", template, re.M):
        assert re.search(rf"^{name}=$", template, re.M), name


# What the documents say.


def test_s4_10_s4_115_where_credentials_and_help_come_from_is_written_down() -> None:
    """S4-10, S4-115."""
    told = README + GOING_LIVE
    for word in ("consumer key", "consumer secret", "shortcode", "passkey", "HTTPS", "KYC"):
        assert word in told, word
    for address in (
        "apisupport@safaricom.co.ke",
        "https://developer.safaricom.co.ke/support",
        "https://developer.safaricom.co.ke/Documentation",
        "https://developer.safaricom.co.ke/APIs/MpesaExpressSimulate",
        "https://developer.safaricom.co.ke/APIs/BusinessToCustomer",
    ):
        assert address in section("Questions"), address


def test_s4_116_the_guides_page_about_the_backend_is_there_and_leads_here() -> None:
    """S4-116, S4-11, S4-26."""
    page = ROOT / "backend" / "README.md"
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for typed in ("cd backend", "backend/.env", "python run.py", "python test_mpesa_callback.py"):
        assert f"`{typed}`" in text
        assert f"`{typed}`" in section("If your notes say …")


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        ("S4-24, S4-117", "254708374149 approves by itself"),
        ("S4-118", "60 seconds"),
        ("S4-119", "Kenya only"),
        ("S4-119", "pay by card"),
        ("S4-120", "KES 70,000 in the simulator and the sandbox"),
        ("S4-120", "what your paybill allows"),
        ("S4-121", "By B2C, M-Pesa's way to pay a phone"),
        ("S4-122", "Yes, but its results may fail to come"),
    ],
)
def test_s4_117_to_s4_122_the_questions_are_answered(promise: str, words: str) -> None:
    """S4-117, S4-118, S4-119, S4-120, S4-121, S4-122."""
    assert words in section("Questions"), promise


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        ("S4-67", "payments stay `pending`"),
        ("S4-68", "is enough without any callback"),
        ("S4-74", "poll `mpesa/query` every 5 seconds"),
        ("S4-69", "Invalid Access Token"),
        ("S4-70", "is replaced by itself"),
        ("S4-71", "it must come to 12 digits"),
        ("S4-72", "spaces, dashes and a plus are taken off"),
        ("S4-73", "2547, 2541 or 2542"),
        ("S4-101", "Safaricom (07, 01), Airtel (01, 02) and Telkom (07)"),
        ("S4-75", "Insufficient Permissions"),
        ("S4-76", "`grep MPESA .env`"),
        ("S4-77", "`/api/health`"),
        ("S4-78", "`M-Pesa callback RAW:`"),
        ("S4-79", "`test_mpesa_callback.py`"),
    ],
)
def test_s4_67_to_s4_79_what_goes_wrong_is_explained(promise: str, words: str) -> None:
    """S4-67, S4-68, S4-69, S4-70, S4-71, S4-72, S4-73, S4-74, S4-75, S4-76, S4-77, S4-78,
    S4-79, S4-101.
    """
    assert words in section("The shop dialect"), promise
