"""Every door of the program, walked: who may enter, and no redirect for a slash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.routing import Rule

from app import create_app
from app.accounts.roles import ALLOWED, May, Role
from app.extensions import limiter
from tests.support.app import SAFARICOM, Account, Shop, explicit_settings
from tests.support.staff import staff

API = ("/api/", "/payments/")
#: Flask's own files, and the virtual phone: it belongs to a program of its own, knows none of our
#: people, and is not there in production.
UNMARKED = {"static", "front_door.forward"}
#: These refuse by 401 whoever cannot say who they are, which is their work.
SIGN_IN = {"/sign-in", "/api/auth/login", "/api/auth/refresh"}
WHO = {"anybody", "provider", "person"}
STAFF = "staff: "
SAME = {"Origin": "http://localhost"}


def doors(shop: Shop) -> Iterator[tuple[Rule, str, str, str]]:
    """Yield every rule with a method, a path that fits it, and who may enter."""
    for rule in shop.app.url_map.iter_rules():
        if rule.endpoint in UNMARKED:
            continue
        values = {name: _fitting(rule, name) for name in rule.arguments}
        _, path = rule.build(values) or ("", rule.rule)
        who = getattr(shop.app.view_functions[rule.endpoint], "who_may_enter", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, path, str(who)


def _allowed(who: str) -> set[May]:
    if not who.startswith(STAFF):
        return set()
    return {May(name) for name in who.removeprefix(STAFF).split(", ")}


def _fitting(rule: Rule, name: str) -> str | int:
    return 424_242 if f"<int:{name}>" in rule.rule else "00000000-0000-4000-8000-000000000000"


def test_every_door_says_who_may_enter(shop: Shop) -> None:
    nameless = {
        rule.endpoint for rule, _, _, who in doors(shop) if who not in WHO and not _allowed(who)
    }
    assert nameless == set()


def test_a_stranger_enters_only_where_anybody_may(shop: Shop) -> None:
    """C-2, S0-48, S3-87."""
    shop.set(rate_limit_sign_in="1000/minute")
    for rule, method, path, who in doors(shop):
        answer = shop.client().open(path, method=method, headers={"Origin": "http://localhost"})
        if path in SIGN_IN:
            assert answer.status_code in (200, 400, 401, 415), f"{method} {path}"
        elif who in ("anybody", "provider"):
            assert answer.status_code not in (401, 403), f"{method} {path}"
        elif path.startswith(API):
            assert answer.status_code == 401, f"{method} {path}"
        else:
            led_away = answer.status_code == 303 and answer.location.startswith("/sign-in")
            assert led_away or answer.status_code == 401, f"{method} {rule.rule}"


@pytest.mark.parametrize("role", list(Role))
def test_each_role_enters_its_own_doors_and_no_other(shop: Shop, role: Role) -> None:
    """E2, S3-46, S3-88: a shopper enters none of them, an admin every one."""
    somebody = staff(shop, "somebody", role)
    walked = 0
    for _rule, method, path, who in doors(shop):
        if who in WHO:
            continue
        walked += 1
        may = bool(_allowed(who) & ALLOWED[role])
        answer = shop.client().open(path, method=method, headers=SAME | somebody.headers)
        assert (answer.status_code == 403) is not may, f"{role}: {method} {path} {answer.status}"
        assert answer.status_code != 401, f"{role}: {method} {path}"
    assert walked > 40


def test_every_page_of_the_back_office_is_for_who_may_see_and_every_deed_for_more(
    shop: Shop,
) -> None:
    """A viewer changes nothing: no door that changes something opens to SEE."""
    for rule, method, path, who in doors(shop):
        if not path.startswith("/admin"):
            continue
        allowed = _allowed(who)
        assert allowed, f"{method} {rule.rule} names no right"
        assert (May.SEE in allowed) <= (method == "GET"), f"{method} {rule.rule}"


def test_no_door_redirects_for_the_sake_of_a_slash(shop: Shop, admin: Account) -> None:
    """C-5: Safaricom does not follow redirects, and a redirected POST loses its body."""
    for rule, method, path, _who in doors(shop):
        if path == "/" or "sign-out" in path or "logout" in path:
            continue
        statuses = [
            shop.client()
            .open(form, method=method, headers=admin.headers | {"Origin": "http://localhost"})
            .status_code
            for form in (path.rstrip("/"), path.rstrip("/") + "/")
        ]
        assert not {301, 302, 307, 308} & set(statuses), f"{method} {rule.rule}"
        # What the first call has done may be in the second one's way; both find the same door.
        assert len({status in (404, 405) for status in statuses}) == 1, f"{rule.rule}: {statuses}"


def test_a_callback_is_taken_with_and_without_its_slash(shop: Shop) -> None:
    for path in ("/api/payments/mpesa/callback", "/api/payments/mpesa/callback/"):
        answer = shop.callback({"Body": path}, path=path, peer=SAFARICOM)
        assert answer.status_code == 200
    assert len(shop.inbox()) == 2


def test_production_has_no_simulator_and_no_test_doors(tmp_path: Path) -> None:
    """C-7."""
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44)
    database = f"sqlite:///{tmp_path / 'lipa.db'}"
    given = {"mpesa_environment": "production", "database_url": database, **secrets}
    app = create_app(explicit_settings(**given))
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    assert rules
    assert [rule for rule in rules if "simulator" in rule or "/test/" in rule] == []


@pytest.mark.parametrize("missing", ["secret_key", "jwt_secret_key", "settings_encryption_key"])
def test_production_does_not_start_without_its_secrets(missing: str) -> None:
    """F8."""
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44)
    given = {"mpesa_environment": "production", **secrets, missing: ""}
    with pytest.raises(ValueError, match=missing.upper()):
        explicit_settings(**given)


def test_every_limit_stands_on_a_view_where_it_is_looked_at(shop: Shop) -> None:
    """Nothing looks for others: assembly.py has taken Flask-Limiter's look at each request away."""
    found = limiter.limit_manager
    with shop.app.app_context():
        of_blueprints = [found.blueprint_limits(shop.app, name) for name in shop.app.blueprints]
        assert [found.application_limits, found.default_limits, *filter(None, of_blueprints)] == [
            [],
            [],
        ]
