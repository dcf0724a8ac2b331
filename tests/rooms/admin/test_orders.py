"""The pages about orders: found by whatever is at hand, told as a whole, annotated, cancelled."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from app.accounts.models import Person
from app.accounts.roles import Role
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders import invoices
from app.orders.models import Order, OrderNote
from tests.rooms.admin.desk import HTML, Desk, flashed, hidden, problems, section
from tests.rooms.admin.shelves import count, deeds
from tests.support.app import Account, Shop, together
from tests.support.daraja import paid
from tests.support.staff import staff

ROOM = "/admin/orders"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def operator(shop: Shop, admin: Account) -> Desk:
    return Desk(shop, staff(shop, "mwende", Role.OPERATOR))


@pytest.fixture
def invoice(shop: Shop) -> tuple[int, str]:
    """What a caller who is not signed in asks of somebody's phone, by its number and its UUID."""
    return place_invoice(shop, "INV-0042", "Rent")


def place_invoice(shop: Shop, reference: str, description: str) -> tuple[int, str]:
    with shop.app.app_context():
        order = invoices.place_invoice(
            reference=reference,
            description=description,
            amount_cents=120_000,
            payer="254722000111",
        )
        return order.id, str(order.uuid)


def found(page: str) -> list[int]:
    """Return the numbers of the orders that a list shows."""
    return [int(number) for number in re.findall(r'<a href="/admin/orders/[^"]+">#(\d+)<', page)]


def of(order: dict[str, Any]) -> str:
    return f"{ROOM}/{order['id']}"


def test_an_order_is_found_by_whatever_is_at_hand(
    shop: Shop, operator: Desk, shopper: Account, other_shopper: Account, invoice: tuple[int, str]
) -> None:
    payment = shop.completed(shopper)
    number = payment.order_id
    with shop.app.app_context():
        order = db.session.get_one(Order, number)
        reference, uuid = order.reference, str(order.uuid)
    shop.order(other_shopper)
    for text in (
        str(number),
        f"#{number}",
        uuid,
        reference,
        reference.lower(),
        shopper.email,
        shopper.email[:8].upper(),
        "0712 345 678",
        "+254712345678",
        payment.public_ref,
        payment.mpesa_receipt,
    ):
        answer = operator.browser.get(ROOM, query_string={"q": text}, headers=HTML)
        assert found(answer.text) == [number], text
    assert found(operator.read(f"{ROOM}?q=INV-0042")) == [invoice[0]]
    for text in ("INV", "%", "_", "99999999999999999999", "'", "nobody@x", "254799999999"):
        answer = operator.browser.get(ROOM, query_string={"q": text}, headers=HTML)
        assert (answer.status_code, found(answer.text)) == (200, []), text
    assert len(found(operator.read(ROOM))) == 3


def test_orders_are_filtered_by_state_and_by_a_day_in_nairobi(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    orders = [shop.order(shopper) for _ in range(3)]
    # Midnight in Nairobi is nine in the evening in UTC.
    for order, hour, minute in zip(orders, (20, 21, 20), (59, 0, 59), strict=True):
        day = 21 if order is orders[2] else 20
        at = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        with shop.app.app_context(), transaction() as session:
            session.execute(update(Order).where(Order.id == order["number"]).values(created_at=at))
    numbers = [order["number"] for order in orders]
    assert found(operator.read(f"{ROOM}?day=2026-11-20")) == numbers[:1]
    assert found(operator.read(f"{ROOM}?day=2026-11-21")) == [numbers[2], numbers[1]]
    assert found(operator.read(f"{ROOM}?day=2026-11-22")) == []
    assert len(found(operator.read(f"{ROOM}?status=pending"))) == 3
    assert found(operator.read(f"{ROOM}?status=paid&q={numbers[0]}")) == []


def test_a_filter_that_cannot_be_says_so_at_its_field(operator: Desk) -> None:
    for query, words in (
        ("day=20-11-2026", "Write the day as 2026-11-21."),
        ("day=2026-02-30", "Write the day as 2026-11-21."),
        ("status=lost", "There is no such state. Choose one."),
        ("q=" + "x" * 256, "Search for 255 characters at most."),
    ):
        answer = operator.open(f"{ROOM}?{query}")
        assert (answer.status_code, problems(unescape(answer.text))) == (400, [words])
    assert operator.open(f"{ROOM}?before=x").status_code == 400


def test_older_orders_come_page_by_page(shop: Shop, operator: Desk, shopper: Account) -> None:
    product = shop.product()
    for _ in range(51):
        shop.order(shopper, product)
    page = operator.read(f"{ROOM}?q={shopper.email}")
    older = re.search(rf'href="({ROOM}\?before=\d+&q=[^"]+)"', page)
    assert older is not None
    rest = operator.read(older[1])
    assert (len(found(page)), len(found(rest))) == (50, 1)
    assert len({*found(page), *found(rest)}) == 51
    assert ">Older<" not in rest


def test_the_page_of_an_order_tells_all_of_it(
    shop: Shop, operator: Desk, admin: Account, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    refund = shop.refund(admin, payment, 500)
    with shop.app.app_context():
        path = f"{ROOM}/{db.session.get_one(Order, payment.order_id).uuid}"
    page = operator.read(path)
    assert "Kiondo" in section(page, "lines-heading")
    told = section(page, "money-heading")
    for part in (payment.public_ref, str(payment.mpesa_receipt), refund.public_ref, "0712 *** 678"):
        assert part in told
    assert f'href="/admin/payments/{payment.public_ref}#refund"' in told
    timeline = section(page, "timeline-heading")
    assert timeline.index("Placed") < timeline.index("Paid in full")
    assert "Wanjiku" in timeline
    assert "0712345678" not in page
    assert "254712345678" not in page
    assert operator.open(f"{ROOM}/{'0' * 32}").status_code == 404
    assert operator.open(f"{ROOM}/1").status_code == 404


def test_an_invoice_of_somebody_who_is_not_signed_in_has_its_page(
    operator: Desk, invoice: tuple[int, str]
) -> None:
    page = operator.read(f"{ROOM}/{invoice[1]}")
    for part in ("INV-0042", "Rent", "KES 1,200", "Somebody who was not signed in"):
        assert part in page
    assert "nothing from the shelves" in section(page, "lines-heading")


def test_a_note_is_written_once_and_for_good(shop: Shop, operator: Desk, shopper: Account) -> None:
    order = shop.order(shopper)
    form = {"form_key": hidden(operator.read(of(order)), "form_key")}
    text = f"Called her.\r\n{SCRIPT}"
    assert together(
        3, lambda _: Desk(shop, operator.who).sent(f"{of(order)}/notes", text=text, **form)
    )
    raw = operator.open(of(order)).text
    assert SCRIPT not in raw
    notes = section(unescape(raw), "notes-heading")
    assert notes.count(f"Called her.\n{SCRIPT}") == 1
    assert "Mwende" in notes
    trail = deeds(shop, f"order {order['number']}")
    assert [(actor, action) for actor, action, _ in trail] == [
        (operator.who.email, "order.annotated")
    ]
    for statement in (update(OrderNote).values(text="x"), delete(OrderNote)):
        refused = pytest.raises(DBAPIError, match="append-only")
        with shop.app.app_context(), refused, transaction() as session:
            session.execute(statement)
    # The shopper is not shown it.
    assert "Called her" not in Desk(shop, shopper).read(f"/orders/{order['id']}")


def test_a_note_that_cannot_be_kept_is_refused_with_what_was_typed(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    key = hidden(operator.read(of(order)), "form_key")
    for text, form_key, status in (("  ", key, 400), ("x" * 2001, key, 400), ("A note", "", 409)):
        answer = operator.send(f"{of(order)}/notes", text=text, form_key=form_key)
        assert answer.status_code == status
        assert len(problems(answer.text)) == 1
        assert f">{text}</textarea>" in answer.text
    assert count(shop, OrderNote) == 0


def test_an_order_is_cancelled_with_a_reason_and_its_goods_go_back(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    product = shop.product(stock=3)
    order = shop.order(shopper, product, quantity=2)
    for why in ("", "   ", "x" * 501):
        refused = operator.send(f"{of(order)}/cancel", why=why)
        assert refused.status_code == 400
        assert problems(unescape(refused.text)) == ["Say why, in 1 to 500 characters."]
    assert shop.stock(product) == 1
    page = operator.told(f"{of(order)}/cancel", why="She  called: wrong colour")
    assert flashed(page) == ["The order is cancelled, and its goods are back on the shelf."]
    assert "She called: wrong colour" in section(page, "timeline-heading")
    assert (shop.order_now(shopper, order)["status"], shop.stock(product)) == ("cancelled", 3)
    assert deeds(shop, f"order {order['number']}") == [
        (operator.who.email, "order.cancelled", {"why": "She called: wrong colour"})
    ]
    again = operator.send(f"{of(order)}/cancel", why="again")
    assert (again.status_code, shop.stock(product)) == (409, 3)
    assert "Only an order that waits for its money" in problems(again.text)[0]


def test_an_order_with_a_live_prompt_or_with_money_is_not_cancelled(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    page = operator.read(of(order))
    assert "A prompt for it may be on the payer's phone" in section(page, "cancel-heading")
    assert f'action="{of(order)}/cancel"' not in page
    refused = operator.send(f"{of(order)}/cancel", why="why not")
    assert refused.status_code == 409
    assert "may be on the payer's phone" in problems(unescape(refused.text))[0]

    shop.callback(
        paid(payment.checkout_request_id, 1000, "UKL5000777"), token=payment.callback_token
    )
    refused = operator.send(f"{of(order)}/cancel", why="why not")
    assert refused.status_code == 409
    assert "KES 1,000 has come in" in problems(unescape(refused.text))[0]
    assert deeds(shop, f"order {order['number']}") == []


def test_of_a_cancellation_and_a_payment_at_the_same_moment_one_wins(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    """D5: a prompt never reaches a phone for an order that was called off."""
    product = shop.product(stock=9)
    for _ in range(4):
        order = shop.order(shopper, product)

        def race(number: int, order: dict[str, Any] = order) -> int:
            if number:
                return shop.pay(shopper, order).status_code
            return Desk(shop, operator.who).send(f"{of(order)}/cancel", why="x").status_code

        cancelled, prompted = together(2, race)
        assert (cancelled == 303) != (prompted == 200), (cancelled, prompted)
        status = shop.order_now(shopper, order)["status"]
        assert status == ("cancelled" if cancelled == 303 else "pending")


def test_e2_a_viewer_sees_orders_and_does_nothing_to_them(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    """E2."""
    order = shop.order(shopper)
    viewer = Desk(shop, staff(shop, "njeri", Role.VIEWER))
    assert found(viewer.read(ROOM)) == [order["number"]]
    page = viewer.read(of(order))
    assert "/notes" not in page
    assert "/cancel" not in page
    form = {"why": "x", "text": "x", "form_key": "k" * 32}
    for deed in ("notes", "cancel"):
        assert viewer.send(f"{of(order)}/{deed}", **form).status_code == 403
        assert Desk(shop, shopper).send(f"{of(order)}/{deed}", **form).status_code == 403
    assert Desk(shop, shopper).open(of(order)).status_code == 403
    assert shop.order_now(shopper, order)["status"] == "pending"
    assert count(shop, OrderNote) == 0


def test_the_shopper_s_own_page_leads_staff_to_the_back_office(
    shop: Shop, admin: Account, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    with shop.app.app_context():
        path = f"/orders/{db.session.get_one(Order, payment.order_id).uuid}"
    assert f'href="/admin/payments/{payment.public_ref}"' in Desk(shop, admin).read(path)
    assert "/admin" not in Desk(shop, shopper).read(path)


def test_f1_a_person_s_name_and_an_order_s_words_do_nothing(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    """F1: what shoppers and callers write is shown to the shop as it is, and is no markup."""
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Person).where(Person.id == shopper.id).values(name=SCRIPT))
    _, uuid = place_invoice(shop, SCRIPT, SCRIPT)
    for path in (ROOM, f"{ROOM}/{uuid}", of(shop.order(shopper))):
        raw = operator.open(path).text
        assert SCRIPT not in raw
        assert SCRIPT in unescape(raw)
