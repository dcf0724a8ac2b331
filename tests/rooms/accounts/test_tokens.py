"""Who somebody is: sign-in over HTTP, both scheme words, and every token that must not work."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from tests.support.app import PASSWORD, Account, Shop, later, standing

ME = "/api/auth/me"
JWT_KEY = "j" * 40
NEWCOMER = {"email": "Njeri@Example.com", "password": PASSWORD, "name": "Njeri  Wa  Kamau"}


def enter(shop: Shop, token: str, scheme: str = "Bearer") -> int:
    headers = {"Authorization": f"{scheme} {token}"}
    return shop.client().get(ME, headers=headers).status_code


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, JWT_KEY, algorithms=["HS256"])
    return claims


def test_registering_signs_in(shop: Shop) -> None:
    answer = shop.client().post("/api/auth/register", json=NEWCOMER | {"phone": "0712345678"})
    body = answer.get_json()
    assert answer.status_code == 201
    assert set(body) == {"access_token", "refresh_token", "user"}
    assert body["user"]["email"] == "njeri@example.com"
    assert body["user"]["name"] == "Njeri Wa Kamau"
    assert body["user"]["phone"] == "254712345678"
    assert enter(shop, body["access_token"]) == 200


def test_login_gives_tokens_and_the_documented_user(shop: Shop, shopper: Account) -> None:
    """S3-48, S3-49."""
    answer = shop.client().post(
        "/api/auth/login/", json={"email": " WANJIKU@example.com ", "password": PASSWORD}
    )
    body = answer.get_json()
    assert answer.status_code == 200
    assert {"id", "email", "name", "role"} <= set(body["user"])
    assert body["user"]["role"] == "shopper"
    assert enter(shop, body["access_token"]) == 200


@pytest.mark.parametrize("scheme", ["Bearer", "JWT", "bearer", "jwt", "bEaReR", "Jwt", " JWT "])
def test_either_scheme_word_works_in_any_case(shop: Shop, shopper: Account, scheme: str) -> None:
    """C-1."""
    assert enter(shop, shopper.access, scheme) == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "JWT", "Basic abc", "Token {}", "{}"])
def test_any_other_header_is_401_with_both_schemes_named(
    shop: Shop, shopper: Account, header: str
) -> None:
    headers = {"Authorization": header.format(shopper.access)}
    answer = shop.client().get(ME, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "UNAUTHORIZED")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "JWT" in answer.headers["WWW-Authenticate"]


def test_a_refresh_token_gets_a_new_access_token_and_nothing_else(
    shop: Shop, shopper: Account
) -> None:
    """E3."""
    assert enter(shop, shopper.refresh) == 401
    headers = {"Authorization": f"JWT {shopper.refresh}"}
    answer = shop.client().post("/api/auth/refresh", headers=headers)
    assert answer.status_code == 200
    assert enter(shop, answer.get_json()["access_token"]) == 200


def test_an_access_token_does_not_refresh(shop: Shop, shopper: Account) -> None:
    assert shop.client().post("/api/auth/refresh", headers=shopper.headers).status_code == 401


def test_signing_out_ends_both_tokens_at_once(shop: Shop, shopper: Account) -> None:
    """E3."""
    assert shop.client().post("/api/auth/logout", headers=shopper.headers).status_code == 200
    assert enter(shop, shopper.access) == 401
    headers = {"Authorization": f"Bearer {shopper.refresh}"}
    assert shop.client().post("/api/auth/refresh", headers=headers).status_code == 401


def test_signing_out_leaves_other_sign_ins_of_the_person_open(shop: Shop, shopper: Account) -> None:
    body = {"email": shopper.email, "password": PASSWORD}
    other = shop.client().post("/api/auth/login", json=body).get_json()["access_token"]
    shop.client().post("/api/auth/logout", headers=shopper.headers)
    assert enter(shop, other) == 200


def test_an_access_token_ends_after_an_hour(shop: Shop, shopper: Account) -> None:
    with later(59 * 60):
        assert enter(shop, shopper.access) == 200
    with later(61 * 60):
        assert enter(shop, shopper.access) == 401


def _unsigned(claims: dict[str, Any], algorithm: str) -> str:
    parts = [{"alg": algorithm, "typ": "JWT"}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*coded, b""]).decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "RS256", ""])
def test_a_token_without_signature_is_nobody(shop: Shop, shopper: Account, algorithm: str) -> None:
    """E3."""
    assert enter(shop, _unsigned(claims_of(shopper.access), algorithm)) == 401


def test_forged_and_twisted_tokens_are_nobody(shop: Shop, shopper: Account) -> None:
    """E3: another key, another algorithm, a time that is past or not yet, a kid that is a path."""
    claims = claims_of(shopper.access)
    now = datetime.now(UTC)
    forged = [
        jwt.encode(claims, "k" * 40, "HS256"),
        jwt.encode(claims, "j" * 64, "HS512"),
        jwt.encode(claims, JWT_KEY + "j" * 30, "HS384"),
        jwt.encode(claims | {"exp": now - timedelta(minutes=1)}, JWT_KEY, "HS256"),
        jwt.encode(claims | {"nbf": now + timedelta(hours=1)}, JWT_KEY, "HS256"),
        jwt.encode(claims, "k" * 40, "HS256", headers={"kid": "../../dev/null"}),
        jwt.encode(claims | {"type": "refresh"}, JWT_KEY, "HS256"),
        jwt.encode(claims | {"sid": "not-a-uuid"}, JWT_KEY, "HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "sid"}, JWT_KEY, "HS256"),
        shopper.access[:-2],
        shopper.access + "x",
        "a.b.c",
        "é.é.é".encode().decode("latin-1"),
    ]
    assert [enter(shop, token) for token in forged] == [401] * len(forged)


def test_a_role_is_read_from_the_database_and_not_from_the_token(
    shop: Shop, shopper: Account
) -> None:
    claims = claims_of(shopper.access) | {"role": "admin", "is_admin": True}
    token = jwt.encode(claims, JWT_KEY, "HS256")
    headers = {"Authorization": f"Bearer {token}"}
    body = {"name": "x", "price": 1}
    assert shop.client().post("/api/products", json=body, headers=headers).status_code == 403


def test_a_role_in_a_body_is_passed_over(shop: Shop) -> None:
    """E7."""
    more = {"role": "admin", "is_admin": True, "id": 1, "uuid": "x"}
    answer = shop.client().post("/api/auth/register", json=NEWCOMER | more)
    assert answer.get_json()["user"]["role"] == "shopper"
    headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
    body = {"name": "x", "price": 1}
    assert shop.client().post("/api/products", json=body, headers=headers).status_code == 403


def test_an_unknown_e_mail_and_a_wrong_password_get_the_same_answer(
    shop: Shop, shopper: Account
) -> None:
    """E5."""
    answers = [
        shop.client().post("/api/auth/login", json={"email": email, "password": "wrong password"})
        for email in (shopper.email, "nobody@example.com", "not an e-mail")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_one_e_mail_makes_one_account(shop: Shop, shopper: Account) -> None:
    for email in (shopper.email, shopper.email.upper(), f" {shopper.email} "):
        answer = shop.client().post("/api/auth/register", json=NEWCOMER | {"email": email})
        assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "nobody"},
        {"email": "a@b"},
        {"email": "a b@example.com"},
        {"email": "x" * 250 + "@example.com"},
        {"password": "short"},
        {"password": "x" * 300},
        {"password": 12345678901},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 121},
        {"phone": "not a phone"},
        {"email": None},
        {"name": ["x"]},
        {"name": "a\x00b"},
        {"email": "a\x00@example.com"},
        {"password": "\ud800" * 12},
    ],
)
def test_an_account_that_cannot_be_is_400(shop: Shop, changes: dict[str, Any]) -> None:
    answer = shop.client().post("/api/auth/register", json=NEWCOMER | changes)
    assert answer.status_code == 400, answer.text


def login(shop: Shop, email: str, address: str = "198.51.100.1", **headers: str) -> Any:
    return shop.client().post(
        "/api/auth/login",
        json={"email": email, "password": "guess"},
        headers=headers,
        environ_overrides={"REMOTE_ADDR": address},
    )


def test_guessing_one_account_is_throttled_from_any_address(shop: Shop, shopper: Account) -> None:
    """E5, E6: however the e-mail is written and whatever a header claims."""
    spellings = [shopper.email, shopper.email.upper(), f"  {shopper.email}"]
    answers = [
        login(shop, spellings[n % 3], f"198.51.100.{n}", **{"X-Forwarded-For": f"10.0.0.{n}"})
        for n in range(11)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].get_json()["code"] == "RATE_LIMITED"
    right = {"email": shopper.email, "password": PASSWORD}
    assert shop.client().post("/api/auth/login", json=right).status_code == 429


def test_spraying_from_one_address_is_throttled_over_all_accounts(shop: Shop) -> None:
    with standing():
        answers = [
            login(shop, f"guess{n}@example.com", **{"X-Forwarded-For": f"10.0.0.{n}"})
            for n in range(31)
        ]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert login(shop, "guess@example.com", "198.51.100.2").status_code == 401
