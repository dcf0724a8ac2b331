"""The table of numbers: what a phone or an amount decides by itself."""

import re
from pathlib import Path

import pytest

from app.simulator.magic import MAGIC_CODES, MAGIC_WAYS, MagicCode
from app.simulator.plans import Code, Parameter
from app.simulator.scenarios import PHONELESS, SCENARIOS
from tests.simulator.client import Daraja, Receiver, new_msisdn

DOCS = Path(__file__).resolve().parents[2] / "docs"
PUSHED = [row for row in MAGIC_CODES if row.push is not None]
PAID_OUT = [row for row in MAGIC_CODES if row.out is not None]


@pytest.mark.parametrize("row", PUSHED, ids=lambda row: row.code)
def test_a_push_to_the_number_or_of_the_amount_of_a_code_ends_with_it(
    daraja: Daraja, row: MagicCode
):
    assert daraja.result_code(daraja.prompt(row.msisdn, 10)) == row.code
    if row.push_amount:
        assert daraja.result_code(daraja.prompt(new_msisdn(), row.push_amount)) == row.code
    assert len(daraja.ledger()) == (1 if row.code == "0" else 0)


def result_of(daraja: Daraja, receiver: Receiver, msisdn: str, amount: int) -> str:
    daraja.call("POST", "/simulator/api/clock", json={"speed": 100})
    (letter,) = receiver.wait_for_result(daraja.pay_out(msisdn, amount))
    return str(letter.result["ResultCode"])


@pytest.mark.parametrize("row", PAID_OUT, ids=lambda row: row.code)
def test_money_out_to_the_number_or_of_the_amount_of_a_code_ends_with_it(
    daraja: Daraja, receiver: Receiver, row: MagicCode
):
    assert result_of(daraja, receiver, row.msisdn, 10) == row.code
    if row.out_amount:
        assert result_of(daraja, receiver, new_msisdn(), row.out_amount) == row.code
    assert len(daraja.money_out()) == (1 if row.code == "0" else 0)


def test_a_reversal_goes_by_the_number_of_its_payer(daraja: Daraja, receiver: Receiver):
    msisdn = next(row.msisdn for row in MAGIC_CODES if row.code == "R000001")
    receipt = daraja.answer(daraja.prompt(msisdn, 10), pin="1234").json()["receipt"]
    conversation = daraja.reverse(receipt, 10).json()["ConversationID"]
    (letter,) = receiver.wait_for_result(conversation)
    assert letter.result["ResultCode"] == "R000001"


def test_a_number_behaves_like_its_scenario_every_time(daraja: Daraja, receiver: Receiver):
    twice = next(way.msisdn for way in MAGIC_WAYS if way.name == "duplicate_callback")
    for _ in range(2):
        checkout = daraja.prompt(twice, 10)
        daraja.answer(checkout, pin="1234")
        assert len(receiver.wait_for(checkout, 2)) == 2
    busy = next(way.msisdn for way in MAGIC_WAYS if way.name == "push_rate_limited")
    assert [daraja.push(busy).status_code for _ in range(2)] == [429, 429]


def test_what_is_armed_prevails_over_the_number(daraja: Daraja):
    row = next(row for row in MAGIC_CODES if row.code == "1032")
    daraja.arm("result", code="2001", on={"msisdn": row.msisdn})
    assert daraja.result_code(daraja.prompt(row.msisdn, 10)) == "2001"


def test_the_table_can_be_switched_off(daraja: Daraja):
    row = next(row for row in MAGIC_CODES if row.code == "1032")
    daraja.call("POST", "/simulator/api/switches", json={"magic_numbers": False})
    assert daraja.result_code(daraja.prompt(row.msisdn, 10)) == "4999"


def test_no_number_and_no_amount_stands_for_two_things():
    numbers = [row.msisdn for row in MAGIC_CODES] + [way.msisdn for way in MAGIC_WAYS]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"254799\d{6}", number) for number in numbers)
    for amounts in ([r.push_amount for r in MAGIC_CODES], [r.out_amount for r in MAGIC_CODES]):
        real = [amount for amount in amounts if amount]
        assert len(set(real)) == len(real)


def test_every_scenario_that_knows_a_phone_has_a_number_unless_it_must_be_told_a_code():
    without = [
        row.name
        for row in SCENARIOS.values()
        if row.moment not in PHONELESS
        and not any(isinstance(p, Parameter) and isinstance(p, Code) for p in row.changes.values())
        and row.name not in {way.name for way in MAGIC_WAYS}
    ]
    assert without == []


def test_the_document_has_the_number_and_the_amounts_of_every_row():
    told = (DOCS / "simulator.md").read_text()
    for row in MAGIC_CODES:
        push = f"{row.push_amount:,}" if row.push_amount else "" if row.push is None else "any"
        out = f"{row.out_amount:,}" if row.out_amount else "" if row.out is None else "any"
        line = f"| {local(row.msisdn)} | `{row.code}` | {push} | {out} |"
        assert line.replace("  ", " ") in told.replace("  ", " "), line
    for way in MAGIC_WAYS:
        words = "".join(f" {name}={value}" for name, value in way.parameters.items())
        assert f"| {local(way.msisdn)} | `{way.name}`{words} |" in told


def local(msisdn: str) -> str:
    return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"
