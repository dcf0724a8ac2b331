"""The guide with ``/api/payments/transactions/``: its commands, in one application's context."""

from __future__ import annotations

import pytest
from click.testing import Result
from cryptography.fernet import Fernet

from app.config import Environment
from app.settings.keys import BY_NAME, KEYS
from app.settings.service import MASK, mpesa_settings, overview
from tests.support.app import Shop
from tests.support.daraja import Answer, FakeDaraja, html

KEY = Fernet.generate_key().decode()
CALLBACK_URL = "https://yourdomain.com/api/payments/transactions/mpesa_callback/"
#: How the passkey ends that one of the documents prints.
MISPRINTED = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72e1b1f430820"


def flask(shop: Shop, *arguments: str, typed: str | None = None) -> Result:
    with shop.app.app_context():
        return shop.app.test_cli_runner().invoke(args=arguments, input=typed)


def flags(**changes: str) -> list[str]:
    """Every flag that the document prints, with these values."""
    given = {
        "consumer_key": "YOUR_CONSUMER_KEY",
        "consumer_secret": "YOUR_CONSUMER_SECRET",
        "business_shortcode": "600123",
        "passkey": "YOUR_PASSKEY",
        "environment": "sandbox",
        "callback_url": CALLBACK_URL,
    } | changes
    pairs = [(f"--{name.replace('_', '-')}", value) for name, value in given.items()]
    return [part for pair in pairs for part in pair]


def stored(shop: Shop) -> dict[str, str | None]:
    with shop.app.app_context():
        return {each.key.name: each.value for each in overview() if each.is_stored}


def test_s2_08_s2_13_s2_65_the_rows_are_made_and_each_key_is_told_with_its_source(
    shop: Shop,
) -> None:
    """S2-08, S2-13, S2-65."""
    shop.set(settings_encryption_key=KEY, mpesa_shortcode="600999")
    first = flask(shop, "init_mpesa_settings")
    assert first.exit_code == 0, first.output
    assert "Made 6 blank settings" in first.output
    for key in KEYS:
        assert key.name in first.output
    assert "600999  (environment)" in first.output
    assert "simulator-secret" not in first.output
    again = flask(shop, "init_mpesa_settings")
    assert (again.exit_code, "Made" in again.output) == (0, False)


def test_s2_59_s2_60_the_command_is_the_check_and_names_what_is_missing(shop: Shop) -> None:
    """S2-59, S2-60."""
    shop.set(settings_encryption_key=KEY, mpesa_environment=Environment.SANDBOX)
    checked = flask(shop, "init_mpesa_settings")
    assert checked.exit_code == 1
    assert (
        "Missing required M-Pesa settings: mpesa_consumer_key, mpesa_consumer_secret, "
        "mpesa_passkey\n" in checked.output
    )


def test_s2_10_the_printed_flags_store_each_value_and_show_no_secret(shop: Shop) -> None:
    """S2-10."""
    shop.set(settings_encryption_key=KEY)
    done = flask(shop, "set_mpesa_credentials", *flags())
    assert done.exit_code == 0, done.output
    assert "YOUR_" not in done.output
    assert stored(shop) == {
        "mpesa_consumer_key": "YOUR_CONSUMER_KEY",
        "mpesa_consumer_secret": "YOUR_CONSUMER_SECRET",
        "mpesa_business_shortcode": "600123",
        "mpesa_passkey": "YOUR_PASSKEY",
        "mpesa_environment": "sandbox",
        "mpesa_callback_url": CALLBACK_URL,
    }
    shown = flask(shop, "init_mpesa_settings").output
    assert shown.count(f"{MASK}  (database)") == 3
    assert "600123  (database)" in shown


def test_s2_11_s2_50_a_partial_call_leaves_the_other_values_alone(shop: Shop) -> None:
    """S2-11, S2-50."""
    secrets = {"secret_key": "s" * 44, "jwt_secret_key": "j" * 44, "public_url": None}
    shop.set(settings_encryption_key=KEY, **secrets)
    flask(shop, "set_mpesa_credentials", *flags(callback_url="https://other.example/"))
    before = stored(shop)
    live = ("--environment", "production", "--callback-url", CALLBACK_URL)
    done = flask(shop, "set_mpesa_credentials", *live)
    assert done.exit_code == 0, done.output
    assert "mpesa_environment counts when the shop is started again" in done.output
    changed = {"mpesa_environment": "production", "mpesa_callback_url": CALLBACK_URL}
    assert stored(shop) == before | changed


def test_s2_09_interactive_asks_for_each_and_enter_leaves_a_value(shop: Shop) -> None:
    """S2-09."""
    shop.set(settings_encryption_key=KEY)
    flask(shop, "set_mpesa_credentials", "--consumer-key", "kept")
    typed = "\n".join(["", "the-secret", "wrong", "600123", "the-passkey", "", ""]) + "\n"
    done = flask(shop, "set_mpesa_credentials", "--interactive", typed=typed)
    assert done.exit_code == 0, done.output
    for key in KEYS:
        assert f"{key.label} [" in done.output
    assert "must be 5 to 7 digits" in done.output
    assert "the-secret" not in done.output
    assert "the-passkey" not in done.output
    assert stored(shop) == {
        "mpesa_consumer_key": "kept",
        "mpesa_consumer_secret": "the-secret",
        "mpesa_business_shortcode": "600123",
        "mpesa_passkey": "the-passkey",
    }


def test_s2_09_interactive_does_not_ask_for_what_a_flag_gave(shop: Shop) -> None:
    """S2-09."""
    shop.set(settings_encryption_key=KEY)
    given = ("--interactive", "--environment", "sandbox", "--passkey", "given")
    done = flask(shop, "set_mpesa_credentials", *given, typed="\n" * 4)
    assert done.exit_code == 0, done.output
    assert "Passkey [" not in done.output
    assert stored(shop) == {"mpesa_environment": "sandbox", "mpesa_passkey": "given"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": "live"},
        {"business_shortcode": "till"},
        {"callback_url": "yourdomain.com"},
        {"passkey": ""},
        {"environment": "production", "callback_url": CALLBACK_URL.replace("https", "http")},
    ],
)
def test_s2_10_s2_15_one_wrong_value_stores_nothing_at_all(
    shop: Shop, wrong: dict[str, str]
) -> None:
    """S2-10, S2-15."""
    secrets = {"secret_key": "s" * 44, "jwt_secret_key": "j" * 44, "public_url": None}
    shop.set(settings_encryption_key=KEY, **secrets)
    done = flask(shop, "set_mpesa_credentials", *flags(**wrong))
    assert done.exit_code == 1
    assert stored(shop) == {}


def test_s2_10_a_call_without_anything_says_how_it_is_used(shop: Shop) -> None:
    """S2-10."""
    done = flask(shop, "set_mpesa_credentials")
    assert done.exit_code == 2
    assert "--interactive" in done.output


def test_s2_15_a_plain_callback_address_is_flagged_outside_production(shop: Shop) -> None:
    """S2-15."""
    shop.set(settings_encryption_key=KEY)
    plain = ("--callback-url", "http://shop.example/api/payments/transactions/mpesa_callback/")
    for command in (("set_mpesa_credentials", *plain), ("init_mpesa_settings",)):
        done = flask(shop, *command)
        assert done.exit_code == 0
        assert "Warning: mpesa_callback_url is not https://" in done.output


def test_s2_10_a_value_that_the_environment_overrules_is_said_to_be(shop: Shop) -> None:
    """S2-10: C-32."""
    shop.set(settings_encryption_key=KEY, mpesa_passkey="outside")
    done = flask(shop, "set_mpesa_credentials", "--passkey", "inside")
    assert done.exit_code == 0
    assert "MPESA_PASSKEY is set in the environment or .env and comes first" in done.output
    with shop.app.app_context():
        assert mpesa_settings().passkey == "outside"


def test_s2_14_the_documents_callback_address_is_the_one_that_daraja_gets(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S2-14."""
    shop.set(settings_encryption_key=KEY)
    flask(shop, "set_mpesa_credentials", "--callback-url", CALLBACK_URL)
    shop.prompted(shop.person())
    assert daraja.pushes[0]["CallBackURL"].startswith(f"{CALLBACK_URL}?token=")


def test_s2_66_a_connection_that_works_is_said_to(shop: Shop, daraja: FakeDaraja) -> None:
    """S2-66."""
    done = flask(shop, "test_mpesa_connection")
    assert done.exit_code == 0, done.output
    assert "Connected to M-Pesa API" in done.output
    assert (len(daraja.pushes), len(daraja.queries)) == (0, 0)


def test_s2_61_refused_credentials_are_named(shop: Shop, daraja: FakeDaraja) -> None:
    """S2-61."""
    daraja.token_answer = lambda _: Answer(400, b"")
    done = flask(shop, "test_mpesa_connection")
    assert done.exit_code == 1
    assert "Failed to connect to M-Pesa API: Invalid credentials" in done.output


def test_s2_61_an_api_that_is_broken_or_away_is_named(shop: Shop, daraja: FakeDaraja) -> None:
    """S2-61."""
    daraja.token_answer = html(503)
    broken = flask(shop, "test_mpesa_connection")
    shop.set(mpesa_base_url="http://127.0.0.1:9")
    away = flask(shop, "test_mpesa_connection")
    for done in (broken, away):
        assert done.exit_code == 1
        assert "Failed to connect to M-Pesa API: " in done.output


def test_s2_59_a_connection_without_an_account_names_what_is_missing(shop: Shop) -> None:
    """S2-59."""
    shop.set(mpesa_environment=Environment.SANDBOX)
    done = flask(shop, "test_mpesa_connection")
    assert done.exit_code == 1
    assert "Missing required M-Pesa settings: MPESA_CONSUMER_KEY" in done.output


@pytest.mark.parametrize(("host", "warned"), [("sandbox.safaricom.co.ke", 1), ("127.0.0.1", 0)])
def test_s2_43_the_misprinted_passkey_is_warned_of_where_safaricom_refuses_it(
    shop: Shop, daraja: FakeDaraja, host: str, warned: int
) -> None:
    """S2-43.

    C-16. The token is fetched from the Daraja of this test; only the push would go there.
    """
    push_url = f"https://{host}/mpesa/stkpush/v1/processrequest"
    shop.set(mpesa_passkey=MISPRINTED, mpesa_checkout_url=push_url)
    done = flask(shop, "test_mpesa_connection")
    assert done.exit_code == 0
    assert done.output.count("misprint") == warned
    assert MISPRINTED not in done.output


def test_s2_42_a_sandbox_address_in_production_is_warned_of(shop: Shop) -> None:
    """S2-42: C-33."""
    query = "https://sandbox.safaricom.co.ke/mpesa/stkpushquery/v1/query"
    account = {f"mpesa_{name}": "6001234" for name in ("consumer_key", "consumer_secret")}
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        mpesa_shortcode="600123",
        mpesa_passkey="p",
        mpesa_query_check_url=query,
        **account,
    )
    done = flask(shop, "test_mpesa_connection")
    assert "an address is the sandbox's" in done.output


def test_s2_67_s2_68_the_shell_has_the_tables_at_hand(shop: Shop) -> None:
    """S2-67, S2-68: C-37."""
    with shop.app.app_context():
        names = shop.app.make_shell_context()
    for name in ("Payment", "Order", "Product", "Person", "InboxMessage", "Credit", "db"):
        assert name in names


def test_s2_13_the_keys_are_the_documented_six() -> None:
    """S2-13."""
    assert list(BY_NAME) == [
        "mpesa_consumer_key",
        "mpesa_consumer_secret",
        "mpesa_business_shortcode",
        "mpesa_passkey",
        "mpesa_environment",
        "mpesa_callback_url",
    ]
