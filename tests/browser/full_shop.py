"""A shop with a little of everything in its books, and an example of each page's address."""

from __future__ import annotations

import re
import sqlite3
import time
from datetime import timedelta
from html import unescape
from typing import Any

import requests

from app.accounts import second_factor
from app.core.clock import nairobi, now
from tests.browser.back_office import arm, paid_order
from tests.rooms.admin.desk import hidden
from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop
from tests.support.statements import Line, Paper, receipt

#: Payouts above this wait for a second person, and a float below that is an alert.
SETTINGS = {"PAYOUT_APPROVAL_ABOVE": "10000", "FLOAT_ALERT_BELOW": "9000000"}
STAFF = "njeri.wanjiku.wa.kamau@example.com"
CANCELS = "0799001032"
LONG_NAME = "Muungano wa Wakulima na Wafugaji wa Trans-Nzoia na Uasin Gishu " + "x" * 30
MONTH_AGO = now() - timedelta(days=30)
YESTERDAY = (nairobi(now()) - timedelta(days=1)).date().isoformat()


class Clerk:
    """Somebody who sends the pages' forms without a browser, and is signed in where named."""

    def __init__(self, shop: LiveShop, email: str | None = None) -> None:
        self.shop = shop
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Origin": shop.base_url, "Accept": "text/html"})
        if email is not None:
            self.send("/sign-in", email=email, password=shop.password)

    def read(self, path: str) -> str:
        answer = self.session.get(self.shop.base_url + path, timeout=20)
        assert answer.ok, answer.text
        return unescape(answer.text)

    def send(self, path: str, **form: Any) -> str:
        """Send a form, and return where it leads. ``file`` is a name and bytes."""
        files = {"file": form.pop("file")} if "file" in form else None
        url = self.shop.base_url + path
        answer = self.session.post(url, data=form, files=files, timeout=20, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"].partition("#")[0]

    def waits_for(self, path: str, words: str) -> str:
        """Read a page until it says something."""
        return eventually(lambda: page if words in (page := self.read(path)) else "")

    def close(self) -> None:
        self.session.close()


def fill(shop: LiveShop) -> dict[str, list[str]]:
    """Do a little of everything, and return examples of addresses, by the rules of the url map."""
    admin = Clerk(shop, ADMIN)
    simulator = Daraja(shop.simulator_url, callback_url="")
    try:
        with simulator.session:
            examples = _money_in(admin, simulator) | _money_out(admin, simulator)
        examples |= _statement(admin) | _people(admin) | _webhook(admin)
        _make_old(admin)
        examples["/admin/products/<int:product_id>"] = ["/admin/products/1"]
        return examples
    finally:
        admin.close()


def _money_in(admin: Clerk, simulator: Daraja) -> dict[str, list[str]]:
    shop = admin.shop
    paid, _ = paid_order(shop)
    order = _order_of(admin, f"/admin/payments/{paid}")
    cancelled, shopper_page = _cancelled(shop)
    admin.send(
        f"/admin/payments/{cancelled}/settlements",
        receipt="UKL5HAND01",
        amount="70",
        when="2026-11-20T10:30",
        seen="Line 14 of the statement, his phone",
    )
    form_key = hidden(admin.read(f"/admin/orders/{order}"), "form_key")
    admin.send(f"/admin/orders/{order}/notes", text="Rang twice. " * 20, form_key=form_key)
    credit = _by_hand(admin, simulator)
    form_key = hidden(admin.read(f"/admin/payments/{paid}"), "form_key")
    path = f"/admin/payments/{paid}/refund"
    refund = admin.send(path, amount="40", reason="One was broken", form_key=form_key)
    admin.waits_for(refund, "B2C")
    return {
        "/admin/payments/<ref>": [f"/admin/payments/{paid}", f"/admin/payments/{cancelled}"],
        "/admin/orders/<uuid>": [
            f"/admin/orders/{order}",
            f"/admin/orders/{_order_of(admin, f'/admin/payments/{cancelled}')}",
        ],
        "/admin/credits/<int:credit_id>": [credit],
        "/admin/refunds/<ref>": [refund],
        "/orders/<uuid>": [f"/orders/{order}", shopper_page],
        "/receipts/<name>": [f"/receipts/{paid}", f"/receipts/{order}"],
        "/order-success": [f"/order-success?order={order}"],
        **_shared(shop, shopper_page, f"/receipts/{paid}"),
    }


def _order_of(admin: Clerk, path: str) -> str:
    return re.findall(r"/admin/orders/([0-9a-f-]{36})", admin.read(path))[0]


def _cancelled(shop: LiveShop) -> tuple[str, str]:
    """Have the demo shopper cancel a prompt; return the payment's name and the order's page."""
    shopper = Clerk(shop, SHOPPER)
    shopper.send("/cart/add", product_id="1", quantity="1")
    cart_key = hidden(shopper.read("/checkout"), "cart_key")
    page = shopper.send("/checkout", phone_number=CANCELS, cart_key=cart_key)
    admin = Clerk(shop, ADMIN)
    try:
        found = eventually(
            lambda: re.findall(r"TXN\w+", admin.read("/admin/payments?status=cancelled"))
        )
        return found[0], page.partition("?")[0]
    finally:
        shopper.close()
        admin.close()


def _shared(shop: LiveShop, unpaid: str, receipt_page: str) -> dict[str, list[str]]:
    """Have the demo shopper share an order to be paid, and a receipt."""
    shopper = Clerk(shop, SHOPPER)
    try:
        shopper.send(f"{unpaid}/link")
        shopper.send(f"{receipt_page}/link")
        to_pay = re.findall(r"/p/[\w-]{32}", shopper.read(unpaid))
        to_see = re.findall(r"/r/[\w-]{32}", shopper.read(receipt_page))
    finally:
        shopper.close()
    return {"/p/<token>": to_pay[:1], "/r/<token>": to_see[:1]}


def _by_hand(admin: Clerk, simulator: Daraja) -> str:
    """Money that belongs to no order, whose page is returned, and news that nobody can prove."""
    admin.send("/admin/settings/paybill/register")
    url = f"{admin.shop.simulator_url}/simulator/api/phones/254712000333/pay"
    pay = {"shortcode": "174379", "account": "MAMA SHIRO", "amount": 300, "pin": "1234"}
    assert simulator.session.post(url, json=pay, timeout=20).ok
    forged = {"TransID": "UKL7FORGED", "TransAmount": "900.00", "BillRefNumber": "K7QM2XWA"}
    path = f"{admin.shop.base_url}/pay/c2b/{'0' * 48}/confirmation"
    assert simulator.session.post(path, json=forged, timeout=20).ok
    return re.findall(r"/admin/credits/\d+", admin.waits_for("/admin", "MAMA SHIRO"))[0]


def _money_out(admin: Clerk, simulator: Daraja) -> dict[str, list[str]]:
    supplier = _supplier(admin, "Kamau Supplies", "0711 400 001")
    long = _supplier(admin, LONG_NAME, "0711 400 002")
    form = {"mpesa_number": "0733 000 999", "reason": "The old line was lost, " * 8}
    admin.send(f"{long}/number", **form)
    waits = _pay(admin, supplier, 12_000)
    arm(simulator, "254711400001", "out_result", code="2040")
    failed = _pay(admin, supplier, 250)
    admin.waits_for(failed, "Not paid")
    arm(simulator, "254711400001", "out_reset")
    unknown = _pay(admin, supplier, 820)
    rows = [f"{LONG_NAME},12,Mahindi", f"{LONG_NAME},12,a", "Kamau Supplies,2000,b", "Nobody,7,=x"]
    text = "\n".join(["name,amount,notes", *rows])
    draft = admin.send("/admin/runs", file=(f"{'long' * 20}.csv", text.encode()))
    good = "name,amount,notes\nKamau Supplies,11000,Beans\nKamau Supplies,11001,Maize\n"
    run = admin.send("/admin/runs", file=("wages.csv", good.encode()))
    seal = hidden(admin.read(run), "seal")
    admin.send(f"{run}/ask", seal=seal, leave_out="yes", repeated="yes", again="yes")
    return {
        "/admin/suppliers/<supplier_id>": [supplier, long],
        "/admin/payouts/<ref>": [waits, failed, unknown],
        "/admin/payouts/<ref>/again": [f"{failed}/again"],
        "/admin/runs/<run_id>": [draft, run],
    }


def _supplier(admin: Clerk, name: str, number: str) -> str:
    return admin.send("/admin/suppliers", name=name, mpesa_number=number, notes="Mahindi " * 30)


def _pay(admin: Clerk, supplier: str, amount: int) -> str:
    form_key = hidden(admin.read(supplier), "form_key")
    notes = "Sacks of maize " * 8
    return admin.send(f"{supplier}/pay", amount=amount, notes=notes, form_key=form_key)


def _statement(admin: Clerk) -> dict[str, list[str]]:
    """A statement of which no row is in the books, and a closed day."""
    party = LONG_NAME[:120]
    rows = [
        Line(receipt(), MONTH_AGO, 77_00, details=f"Pay Bill from 2547****123 - {party}"),
        Line(receipt(), MONTH_AGO, -12_500_00, "Withdrawal to the bank", "Withdrawal"),
        Line(receipt(), MONTH_AGO, 1_250_00),
    ]
    paper = Paper(rows, MONTH_AGO - timedelta(days=1), MONTH_AGO + timedelta(days=1))
    room = "/admin/reconciliation"
    statement = admin.send(room, file=(paper.name(), paper.csv()))
    admin.waits_for(statement, "3 differences to look at")
    day = f"{room}/closes/{YESTERDAY}"
    admin.send(day, note="Till counted")
    today = nairobi(now()).date().isoformat()
    return {
        "/admin/reconciliation/<uuid>": [statement],
        "/admin/reconciliation/closes/<day>": [day, f"{room}/closes/{today}"],
    }


def _people(admin: Clerk) -> dict[str, list[str]]:
    """One more person, who has a second factor, and a role since now."""
    shop, other = admin.shop, Clerk(admin.shop)
    form = {"name": "Njeri", "email": STAFF, "phone": "0722 000 919", "password": shop.password}
    other.send("/register", **form)
    other.send("/account/second-factor", password=shop.password)
    [key] = re.findall(r'class="key">([^<]+)<', other.read("/account/second-factor"))
    code = second_factor._totp(key).generate(time.time()).decode()
    path = f"{shop.base_url}/account/second-factor/confirm"
    assert other.session.post(path, data={"otp": code}, timeout=20).ok
    other.close()
    [page] = set(
        re.findall(r"/admin/people/[0-9a-f-]{36}", admin.read(f"/admin/people?email={STAFF}"))
    )
    admin.send(f"{page}/role", role="operator", why="She looks after the orders")
    pages = re.findall(r"/admin/people/[0-9a-f-]{36}", admin.read(f"/admin/people?email={SHOPPER}"))
    return {
        "/admin/people/<uuid>": [page],
        "/admin/people/<uuid>/erase": [f"{page}/erase", f"{pages[0]}/erase"],
    }


def _webhook(admin: Clerk) -> dict[str, list[str]]:
    """An endpoint at which nobody listens, and a delivery that fails."""
    form = {"address": f"http://127.0.0.1:9/{'news/' * 20}", "events": ["payment.completed"]}
    answer = admin.session.post(f"{admin.shop.base_url}/admin/webhooks", data=form, timeout=20)
    assert answer.status_code == 201, answer.text
    [page] = set(re.findall(r'"(/admin/webhooks/\d+)/', answer.text))
    admin.send(f"{page}/test")
    return {"/admin/webhooks/<int:endpoint_id>": [page]}


def _make_old(admin: Clerk) -> None:
    """What takes the shop hours: a watch that is due, and a doubt that Daraja has not ended."""
    admin.send("/admin/books/float")
    with sqlite3.connect(admin.shop.folder / "lipa.db", timeout=20) as database:
        database.execute("UPDATE heartbeats SET at = '2026-01-01 00:00:00.000000'")
        database.execute(
            "UPDATE c2b_notices SET state = 'doubted', next_try_at = NULL WHERE state = 'asking'"
        )
    admin.waits_for("/admin", "Alerts (")
