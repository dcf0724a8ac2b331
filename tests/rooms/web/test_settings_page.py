"""The page of system settings: who may see it, what it shows, and what it never shows."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from werkzeug.test import TestResponse

from app.config import Environment
from app.settings.keys import KEYS
from app.settings.service import mpesa_settings, overview, store
from tests.support.app import Account, Shop

KEY = Fernet.generate_key().decode()
PAGE = "/admin/settings"
BROWSER = {"Accept": "text/html", "Origin": "http://localhost"}


def page(shop: Shop, who: Account) -> str:
    answer = shop.client().get(PAGE, headers=who.headers | BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


def section(text: str, name: str) -> str:
    """The part of the page that is about one setting."""
    return text.partition(f'aria-labelledby="{name}-heading"')[2].partition("</section>")[0]


def send(shop: Shop, who: Account, name: str, **form: str) -> str:
    """Store or clear as the form does, follow to the page, and return it with what it says."""
    browser = shop.client()
    answer = browser.post(f"{PAGE}/{name}", data=form, headers=who.headers | BROWSER)
    assert (answer.status_code, answer.location) == (303, PAGE), answer.text
    return browser.get(PAGE, headers=who.headers | BROWSER).text


def sources(shop: Shop) -> dict[str, str]:
    with shop.app.app_context():
        return {each.key.name: str(each.source) for each in overview()}


def test_the_page_is_for_admins_and_linked_from_the_back_office(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S2-12."""
    assert shop.client().get(PAGE, headers=BROWSER).status_code == 303
    assert shop.client().get(PAGE, headers=shopper.headers | BROWSER).status_code == 403
    form = {"data": {"value": "1"}, "headers": shopper.headers | BROWSER}
    assert shop.client().post(f"{PAGE}/mpesa_passkey", **form).status_code == 403
    back_office = shop.client().get("/admin", headers=admin.headers | BROWSER).text
    assert f'href="{PAGE}"' in back_office
    assert "System settings" in page(shop, admin)


def test_each_key_stands_with_value_and_source(shop: Shop, admin: Account) -> None:
    """S2-12, S2-13, C-32."""
    shop.set(settings_encryption_key=KEY, mpesa_shortcode="600999")
    with shop.app.app_context():
        store("mpesa_callback_url", "https://shop.example/callback", by="admin@example.com")
    text = page(shop, admin)
    for key in KEYS:
        assert key.name in section(text, key.name)
    assert "600999" in section(text, "mpesa_business_shortcode")
    assert "environment" in section(text, "mpesa_business_shortcode")
    stored = section(text, "mpesa_callback_url")
    assert "https://shop.example/callback" in stored
    assert "database" in stored
    assert "admin@example.com" in stored
    assert "<dd>default</dd>" in section(text, "mpesa_environment")


def test_what_the_environment_sets_is_locked(shop: Shop, admin: Account) -> None:
    """C-32."""
    shop.set(settings_encryption_key=KEY, mpesa_passkey="outside")
    locked = section(page(shop, admin), "mpesa_passkey")
    assert "Locked" in locked
    assert "<form" not in locked
    told = send(shop, admin, "mpesa_passkey", value="inside")
    assert "MPESA_PASSKEY is set in the environment" in told
    told = send(shop, admin, "mpesa_passkey", clear="yes")
    assert "MPESA_PASSKEY is set in the environment" in told
    assert sources(shop)["mpesa_passkey"] == "environment"


@pytest.mark.parametrize("name", [key.name for key in KEYS if key.is_secret])
def test_a_secret_is_written_and_never_shown(shop: Shop, admin: Account, name: str) -> None:
    """S2-69."""
    shop.set(settings_encryption_key=KEY)
    text = send(shop, admin, name, value="zebra-crossing")
    assert "stored" in text
    assert "zebra-crossing" not in text
    assert "********" in section(text, name)
    assert 'type="password"' in section(text, name)
    assert sources(shop)[name] == "database"


def test_a_value_that_is_stored_counts_at_once_and_can_be_forgotten(
    shop: Shop, admin: Account
) -> None:
    shop.set(settings_encryption_key=KEY)
    send(shop, admin, "mpesa_business_shortcode", value=" 600123 ")
    with shop.app.app_context():
        assert mpesa_settings().shortcode == "600123"
    text = send(shop, admin, "mpesa_business_shortcode", clear="yes")
    assert "174379" in section(text, "mpesa_business_shortcode")
    assert sources(shop)["mpesa_business_shortcode"] == "default"


def test_another_environment_counts_from_the_next_start_and_the_page_says_so(
    shop: Shop, admin: Account
) -> None:
    shop.set(settings_encryption_key=KEY)
    text = section(send(shop, admin, "mpesa_environment", value="sandbox"), "mpesa_environment")
    assert "<option selected>sandbox</option>" in text
    assert "Until the next start" in text
    assert shop.app.extensions["lipa_settings"].is_simulator


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mpesa_business_shortcode", "till", "must be 5 to 7 digits"),
        ("mpesa_environment", "live", "must be one of"),
        ("mpesa_callback_url", "javascript:alert(1)", "must be a whole address"),
        ("mpesa_passkey", "", "is blank"),
        ("mpesa_environment", "production", "could not start"),
    ],
)
def test_a_wrong_value_is_explained_and_not_stored(
    shop: Shop, admin: Account, name: str, value: str, words: str
) -> None:
    shop.set(settings_encryption_key=KEY)
    assert words in send(shop, admin, name, value=value)
    assert sources(shop)[name] == "default"


def test_a_plain_callback_address_is_flagged(shop: Shop, admin: Account) -> None:
    """S2-15."""
    shop.set(settings_encryption_key=KEY)
    text = send(shop, admin, "mpesa_callback_url", value="http://shop.example/callback")
    assert "mpesa_callback_url is not https://" in text


def test_the_page_names_what_is_missing_and_what_cannot_be_read(shop: Shop, admin: Account) -> None:
    """S2-59."""
    shop.set(settings_encryption_key=KEY, mpesa_environment=Environment.SANDBOX)
    with shop.app.app_context():
        store("mpesa_passkey", "value", by="a test")
    shop.set(settings_encryption_key=Fernet.generate_key().decode())
    text = page(shop, admin)
    assert "Missing required M-Pesa settings: mpesa_consumer_key, mpesa_consumer_secret" in text
    assert "cannot be decrypted" in section(text, "mpesa_passkey")
    assert "<form" in section(text, "mpesa_passkey")


def test_without_a_key_to_seal_with_the_page_says_so(shop: Shop, admin: Account) -> None:
    shop.set(settings_encryption_key=None)
    assert "SETTINGS_ENCRYPTION_KEY is not set" in send(shop, admin, "mpesa_passkey", value="v")


def test_an_unknown_setting_is_not_found(shop: Shop, admin: Account) -> None:
    form = {"data": {"value": "1"}, "headers": admin.headers | BROWSER}
    assert shop.client().post(f"{PAGE}/secret_key", **form).status_code == 404


def test_another_sites_form_changes_nothing(shop: Shop, admin: Account) -> None:
    """C-3."""
    shop.set(settings_encryption_key=KEY)
    answers: list[TestResponse] = []
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        browser = shop.client()
        browser.set_cookie("access_token_cookie", admin.access)
        form = {"value": "600123"}
        path = f"{PAGE}/mpesa_business_shortcode"
        answers.append(browser.post(path, data=form, headers=headers))
    assert [answer.status_code for answer in answers] == [403] * 3
    assert sources(shop)["mpesa_business_shortcode"] == "default"
