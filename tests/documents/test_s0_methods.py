"""The payment API document: payment methods, and the numbers that people keep."""

from __future__ import annotations

from typing import Any

import pytest

from app.payments.methods import MOST_METHODS
from tests.documents.s0 import (
    PHONE,
    get,
    initiate,
    post,
    refused,
    short,
    without_ellipsis,
)
from tests.support.app import Account, Shop, together

METHOD = {"type": "mpesa", "details": {"phone_number": PHONE}, "is_default": True}
MPESA = {"type": "mpesa", "display_name": "M-Pesa", "enabled": True, "currency": "KES"}


def test_s0_33_s0_34_the_printed_list(shop: Shop, shopper: Account) -> None:
    """S0-33, S0-34."""
    answer = get(shop, shopper, "/methods/")
    assert (answer.status_code, answer.get_json()) == (200, {"methods": [MPESA]})


def test_s0_34_mpesa_is_not_enabled_without_its_credentials(shop: Shop, shopper: Account) -> None:
    """S0-34."""
    shop.set(mpesa_environment="sandbox")
    [listed] = get(shop, shopper, "/methods/").get_json()["methods"]
    assert listed == MPESA | {"enabled": False}


def test_s0_35_s0_36_a_number_is_kept_listed_and_removed(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S0-35, S0-36."""
    answer = post(shop, shopper, "/methods/", METHOD)
    kept = answer.get_json()
    assert answer.status_code == 201
    assert kept == MPESA | {
        "id": kept["id"],
        "details": {"phone_number": PHONE},
        "is_default": True,
    }
    assert get(shop, shopper, "/methods/").get_json() == {"methods": [MPESA, kept]}
    assert get(shop, other_shopper, "/methods/").get_json() == {"methods": [MPESA]}
    path = f"/api/payment/methods/{kept['id']}"
    for who, status in ((other_shopper, 404), (shopper, 204), (shopper, 404)):
        assert shop.client().delete(path, headers=who.headers).status_code == status
    assert get(shop, shopper, "/methods/").get_json() == {"methods": [MPESA]}


def test_s0_36_a_number_is_kept_once_and_one_is_the_default(shop: Shop, shopper: Account) -> None:
    """S0-36."""
    first = post(shop, shopper, "/methods/", METHOD).get_json()
    other = METHOD | {"details": {"phone_number": "254711111111"}}
    second = post(shop, shopper, "/methods/", other).get_json()
    listed = get(shop, shopper, "/methods/").get_json()["methods"][1:]
    assert listed == [second, first | {"is_default": False}], "the default first"
    again = post(shop, shopper, "/methods/", {"type": "mpesa", "details": METHOD["details"]})
    assert (again.status_code, again.get_json()) == (200, first | {"is_default": False})
    again = post(shop, shopper, "/methods/", METHOD)
    assert (again.status_code, again.get_json()) == (200, first)
    assert initiate(shop, shopper, shop.order(shopper)).status_code == 200


def test_s0_36_the_same_number_kept_ten_times_at_once_is_one_method(
    shop: Shop, shopper: Account
) -> None:
    """S0-36."""
    answers = together(10, lambda _: post(shop, shopper, "/methods/", METHOD))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.get_json()["id"] for answer in answers}) == 1


def test_s0_36_so_many_numbers_are_kept_and_no_more(shop: Shop, shopper: Account) -> None:
    """S0-36."""

    def keep(number: int) -> int:
        details = {"phone_number": f"2547111111{number:02d}"}
        return post(shop, shopper, "/methods/", METHOD | {"details": details}).status_code

    assert sorted(together(MOST_METHODS + 2, keep)) == [201] * MOST_METHODS + [409] * 2
    listed = get(shop, shopper, "/methods/").get_json()["methods"][1:]
    assert len(listed) == MOST_METHODS
    assert [method["is_default"] for method in listed].count(True) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": ...}, "VALIDATION_ERROR"),
        ({"type": None}, "VALIDATION_ERROR"),
        ({"type": ""}, "VALIDATION_ERROR"),
        ({"type": "card"}, "VALIDATION_ERROR"),
        ({"type": 1}, "VALIDATION_ERROR"),
        ({"type": "m" * 5000}, "VALIDATION_ERROR"),
        ({"details": ...}, "VALIDATION_ERROR"),
        ({"details": None}, "VALIDATION_ERROR"),
        ({"details": PHONE}, "VALIDATION_ERROR"),
        ({"details": {}}, "VALIDATION_ERROR"),
        ({"details": {"phone_number": None}}, "VALIDATION_ERROR"),
        ({"details": {"phone_number": 254712345678}}, "VALIDATION_ERROR"),
        ({"details": {"phone_number": ""}}, "INVALID_PHONE"),
        ({"details": {"phone_number": "0712345678"}}, "INVALID_PHONE"),
        ({"details": {"phone_number": "2" * 5000}}, "INVALID_PHONE"),
        ({"is_default": None}, "VALIDATION_ERROR"),
        ({"is_default": "yes"}, "VALIDATION_ERROR"),
        ({"is_default": 1}, "VALIDATION_ERROR"),
    ],
    ids=short,
)
def test_s0_36_a_wrong_field_is_refused(
    shop: Shop, shopper: Account, change: dict[str, Any], code: str
) -> None:
    """S0-36."""
    refused(post(shop, shopper, "/methods/", without_ellipsis(METHOD | change)), 400, code)
    assert get(shop, shopper, "/methods/").get_json() == {"methods": [MPESA]}


def test_s0_36_unknown_keys_are_passed_over(shop: Shop, shopper: Account, admin: Account) -> None:
    """S0-36."""
    extra = {"id": 99, "person_id": admin.id, "enabled": False, "currency": "USD"}
    answer = post(shop, shopper, "/methods/", METHOD | extra)
    assert answer.get_json()["enabled"] is True
    assert get(shop, admin, "/methods/").get_json() == {"methods": [MPESA]}
