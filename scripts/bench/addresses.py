"""An example of every address that a person or a program waits for, in a shop of history.py."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import create_engine, text

from scripts.bench.ground import Ground

#: Long by nature, not about the books, or told by Daraja: not asked here.
NOT_ASKED = {
    "/admin/exports/file": "a file, as long as what is in it",
    "/admin/runs/<run_id>/results.csv": "a file, as long as the run",
    "/orders/<uuid>/qr.png": "asks Daraja",
    "/p/<token>/qr.png": "asks Daraja",
    "/api/payments/transactions/<transaction_id>/check_mpesa_status": "asks Daraja",
    "/admin/payouts/<ref>/again": "a form about a payout that failed",
    "/sign-in": "leads on whoever is signed in",
    "/sign-in/code": "leads on whoever is signed in",
    "/register": "leads on whoever is signed in",
    "/pictures/<sha256>.webp": "a file",
    "/static/<path:filename>": "a file",
    "/static/v/<version>/<path:filename>": "a file",
    "/simulator/": "not the shop's",
    "/simulator/<path:rest>": "not the shop's",
    "/api/docs": "reads no table",
    "/api/openapi.json": "reads no table",
}
_STRANGERS = ("/api/health", "/api/health/live", "/api/health/ready", "/r/<token>",
              "/r/<token>.pdf", "/p/<token>", "/p/<token>/state")  # fmt: skip
_SHOPPERS = (
    "/", "/cart", "/checkout", "/orders", "/orders/<uuid>", "/orders/<uuid>/state",
    "/order-success", "/account", "/account/courses", "/account/data", "/account/erase",
    "/account/numbers", "/account/payments", "/account/second-factor", "/account/security",
    "/receipts/<name>", "/receipts/<name>.pdf", "/api/auth/me", "/api/courses/mine", "/api/orders",
    "/api/orders/<order_id>", "/api/payment/history", "/api/payment/methods",
    "/api/payment/transactions/<transaction_id>/receipt", "/api/payments/<payment_id>/status",
    "/api/payments/my", "/api/payments/verify/<order_id>", "/api/products",
    "/api/products/<int:product_id>",
)  # fmt: skip
_ADMINS = (
    "/admin", "/admin/audit", "/admin/books", "/admin/claims", "/admin/credits/<int:credit_id>",
    "/admin/exports", "/admin/orders", "/admin/orders/<uuid>", "/admin/paybill", "/admin/payments",
    "/admin/payments/<ref>", "/admin/payouts", "/admin/payouts/<ref>", "/admin/people",
    "/admin/people/<uuid>", "/admin/people/<uuid>/erase", "/admin/products",
    "/admin/products/<int:product_id>", "/admin/products/new", "/admin/reconciliation",
    "/admin/reconciliation/<uuid>", "/admin/reconciliation/closes",
    "/admin/reconciliation/closes/<day>", "/admin/refunds", "/admin/refunds/<ref>", "/admin/runs",
    "/admin/runs/<run_id>", "/admin/settings", "/admin/settings/go-live", "/admin/suppliers",
    "/admin/suppliers/<supplier_id>", "/admin/suppliers/new", "/admin/webhooks",
    "/admin/webhooks/<int:endpoint_id>", "/api/admin/figures", "/api/payments/admin",
    "/api/payments/supplier/payouts", "/api/payments/supplier/payouts/<payout_id>",
    "/api/suppliers", "/api/suppliers/<supplier_id>", "/metrics",
)  # fmt: skip
#: Searches, filters and pages further back.
_ASKED_TOO = (
    "/admin?days=7", "/admin?days=30", "/api/admin/figures?days=30",
    "/admin/payments?q={receipt}", "/admin/payments?q={phone}", "/admin/payments?q=1500",
    "/admin/payments?q=77", "/admin/payments?q={number}", "/admin/payments?q={order}",
    "/admin/payments?q=NOSUCHCODE", "/admin/payments?status=completed",
    "/admin/payments?status=failed", "/admin/payments?status=pending",
    "/admin/payments?status=review", "/admin/payments?person=1",
    "/admin/payments?status=completed&person=1", "/admin/payments?from={today}&to={today}",
    "/admin/payments?status=cancelled&from={today}&to={today}",
    "/admin/payments?q=1500&status=cancelled", "/admin/payments?before={middle}",
    "/admin/orders?q={phone}", "/admin/orders?q={email}", "/admin/orders?q=shopper@",
    "/admin/orders?q={receipt}", "/admin/orders?q=nobody", "/admin/orders?status=expired",
    "/admin/orders?status=review", "/admin/orders?day={today}", "/admin/orders?day=2020-01-01",
    "/admin/orders?status=review&day={today}", "/admin/orders?before={middle}",
    "/admin/books?before={middle}", "/admin/audit?actor=admin@example.com",
    "/admin/audit?actor=nobody", "/admin/audit?action=refund.", "/admin/audit?action=setting.",
    "/admin/audit?day={today}", "/admin/audit?day=2020-01-01", "/admin/audit?subject=nothing",
    "/admin/refunds?status=failed", "/admin/refunds?status=unknown",
    "/admin/payouts?status=failed", "/admin/payouts?page=2", "/admin/suppliers?search=Supplier",
    "/admin/webhooks/{endpoint}?state=given_up", "/admin/webhooks/{endpoint}?state=delivered",
    "/api/payments/admin?page=2", "/api/payments/supplier/payouts?page=2",
)  # fmt: skip


def rules_of() -> set[str]:
    """Return the rules of the url map that have an example here."""
    return {*_STRANGERS, *_SHOPPERS, *_ADMINS}


def addresses(ground: Ground, shopper: requests.Session) -> dict[str, tuple[str, str]]:
    """Return by its name who asks, and for what address."""
    known = _known(ground.env["DATABASE_URL"])
    known |= _links(ground, shopper, known)
    found = {}
    for who, rules in (("stranger", _STRANGERS), ("shopper", _SHOPPERS), ("admin", _ADMINS)):
        for rule in rules:
            found[rule] = who, _filled(rule, known)
    found["/order-success"] = "shopper", f"/order-success?order={known['order']}"
    for pattern in _ASKED_TOO:
        found[pattern] = "admin", pattern.format(**known)
    return found


def _filled(rule: str, known: dict[str, Any]) -> str:
    """Put an example in the place of each name of a rule."""

    def value(named: re.Match[str]) -> str:
        place = rule[: named.start()] + named[0]
        return str(known.get(place) or known[named[1]])

    return re.sub(r"<(?:\w+:)?(\w+)>", value, rule)


def _known(database_url: str) -> dict[str, Any]:
    engine = create_engine(database_url)
    with engine.connect() as connection:

        def one(query: str) -> Any:
            return connection.execute(text(query)).scalar_one()

        mine = "(SELECT id FROM people WHERE email = 'shopper@example.com')"
        paid = one(f"SELECT max(id) FROM orders WHERE status = 'paid' AND person_id = {mine}")  # noqa: S608
        person = one("SELECT min(id) FROM people WHERE id > 1000")
        row = {
            "order": _uuid(one(f"SELECT uuid FROM orders WHERE id = {paid}")),  # noqa: S608
            "payment": one(f"SELECT public_ref FROM payments WHERE id = {paid}"),  # noqa: S608
            "receipt": one(f"SELECT mpesa_receipt FROM payments WHERE id = {paid}"),  # noqa: S608
            "phone": one(f"SELECT phone FROM people WHERE id = {person}"),  # noqa: S608
            "email": one(f"SELECT email FROM people WHERE id = {person}"),  # noqa: S608
            "person": _uuid(one(f"SELECT uuid FROM people WHERE id = {person}")),  # noqa: S608
            "refund": one("SELECT max(public_ref) FROM disbursements WHERE kind = 'refund'"),
            "payout": one("SELECT max(public_ref) FROM disbursements WHERE kind = 'payout'"),
            "payout_uuid": _uuid(one("SELECT uuid FROM disbursements WHERE kind = 'payout' "
                                     "ORDER BY id DESC LIMIT 1")),
            "supplier": _uuid(one("SELECT uuid FROM suppliers ORDER BY id LIMIT 1")),
            "run": _uuid(one("SELECT uuid FROM payout_runs ORDER BY id DESC LIMIT 1")),
            "statement": _uuid(one("SELECT uuid FROM statements ORDER BY id DESC LIMIT 1")),
            "waiting": _uuid(one("SELECT uuid FROM orders ORDER BY id DESC LIMIT 1")),
            "endpoint": one("SELECT id FROM webhook_endpoints"),
            "credit": one("SELECT max(id) FROM credits WHERE payment_id IS NULL"),
            "middle": one("SELECT (min(id) + max(id)) / 2 FROM payments"),
            "product": one("SELECT min(id) FROM products"),
        }  # fmt: skip
    engine.dispose()
    day = (datetime.now(UTC) + timedelta(hours=3)).date()
    return row | _by_rule(row) | {"number": paid, "today": day, "day": day - timedelta(days=1)}


def _by_rule(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": row["order"],
        "order_id": row["order"],
        "name": row["payment"],
        "ref": row["payment"],
        "payment_id": row["payment"],
        "transaction_id": row["payment"],
        "credit_id": row["credit"],
        "endpoint_id": row["endpoint"],
        "product_id": row["product"],
        "supplier_id": row["supplier"],
        "run_id": row["run"],
        "payout_id": row["payout_uuid"],
        "/admin/payouts/<ref>": row["payout"],
        "/admin/refunds/<ref>": row["refund"],
        "/admin/people/<uuid>": row["person"],
        "/admin/reconciliation/<uuid>": row["statement"],
        "/orders/<uuid>": row["waiting"],
    }


def _uuid(value: object) -> str:
    text_ = str(value).replace("-", "")
    return "-".join((text_[:8], text_[8:12], text_[12:16], text_[16:20], text_[20:]))


def _links(ground: Ground, shopper: requests.Session, known: dict[str, Any]) -> dict[str, Any]:
    """Have the shopper share an order to be paid, and a receipt."""
    found = {}
    for place, page in (("p", f"/orders/{known['waiting']}"), ("r", f"/receipts/{known['name']}")):
        shopper.post(f"{ground.base_url}{page}/link", timeout=20).raise_for_status()
        shown = shopper.get(f"{ground.base_url}{page}", timeout=20).text
        found[f"/{place}/<token>"] = re.findall(rf"/{place}/([\w-]{{32}})", shown)[0]
    return found
