"""The statement that a shop exports from M-Pesa's portal, in the shapes that were seen of it."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

from flask import Blueprint, Response, request

from app.simulator.api import ApiRefused
from app.simulator.clock import NAIROBI, daraja_timestamp, utc_now
from app.simulator.fields import SHORTCODE
from app.simulator.simulator import current_simulator
from app.simulator.statement_rows import ACCOUNTS, Movement, Row, Statement, statement_of

HEADER: Final = (
    "Receipt No.",
    "Completion Time",
    "Initiation Time",
    "Details",
    "Transaction Status",
    "Paid In",
    "Withdrawn",
    "Balance",
    "Balance Confirmed",
    "Reason Type",
    "Other Party Info",
    "Linked Transaction ID",
    "A/C No.",
)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SEPARATORS: Final[Mapping[str, str]] = MappingProxyType(
    {"comma": ",", "semicolon": ";", "tab": "\t"}
)

_CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "csv": "text/csv; charset=utf-8",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)

statement = Blueprint("statement", __name__, url_prefix="/simulator/api")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written. `minus` says whether what was withdrawn is below zero."""

    moment: str
    separator: str = ","
    line_end: str = "\n"
    bom: bool = False
    thousands: bool = False
    minus: bool = True
    masked: bool = True
    totals: bool = False
    confirmed: str = "true"


# The first is that of real files of 2025, the second of a fixture of 2017; the third puts together
# what fixtures of 2026 have and those two have not.
SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "2025": Shape("%d-%m-%Y %H:%M:%S"),
        "2017": Shape(
            "%d-%m-%Y %H:%M",
            line_end="\r\n",
            thousands=True,
            minus=False,
            masked=False,
            confirmed="TRUE",
        ),
        "2026": Shape("%Y-%m-%d %H:%M:%S", ";", bom=True, thousands=True, totals=True),
    }
)


@statement.get("/statements/<shortcode>.<any(csv, xlsx):kind>")
def export(shortcode: str, kind: str) -> Response:
    """`account`, `from`, `to`, `shape`, `separator` and `bom` choose what is told and how.

    `from` and `to` are days or times in Nairobi; a day counts whole.
    """
    if not SHORTCODE.fullmatch(shortcode):
        raise ApiRefused(404, "NOT_FOUND", "A shortcode has 5 to 7 digits.")
    shape = _shape()
    account = _chosen("account", {name: name for name in ACCOUNTS}, "working")
    since, until = _moment("from", _LONG_AGO), _moment("to", utc_now(), is_end=True)
    simulator = current_simulator()
    world = simulator.world
    with world.lock:
        shop, ledger = world.organisations.seen(shortcode), world.ledger()
        told = statement_of(shop, ledger, account, since, until)
    people = {row.movement.entry.msisdn for row in told.rows} - {""}
    names = {msisdn: world.phone(msisdn).name for msisdn in people}
    file = _File(shape, simulator.settings.business_name, names)
    lines = file.lines(shortcode, ACCOUNTS[account], since, until, told)
    body = _book(lines) if kind == "xlsx" else _text(lines, shape)
    name = f"ORG_{shortcode}_{ACCOUNTS[account]}_Completed_{daraja_timestamp(utc_now())}.{kind}"
    disposition = f'attachment; filename="{name}"'
    return Response(
        body, headers={"Content-Disposition": disposition}, content_type=_CONTENT_TYPES[kind]
    )


def _book(lines: list[list[str]]) -> bytes:
    # What writes workbooks takes as long to load as all the rest, so only who wants one waits.
    from app.simulator.statement_book import workbook

    return workbook(lines)


def _text(lines: list[list[str]], shape: Shape) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=shape.separator, lineterminator=shape.line_end).writerows(lines)
    # What people typed may hold half a character, which no file can.
    return text.getvalue().encode("utf-8-sig" if shape.bom else "utf-8", errors="replace")


class _File:
    def __init__(self, shape: Shape, business_name: str, names: Mapping[str, str]) -> None:
        self._shape = shape
        self._business_name = business_name
        self._names = names

    def lines(
        self, shortcode: str, account: str, since: datetime, until: datetime, told: Statement
    ) -> list[list[str]]:
        opening, closing = self._money(told.opening_cents), self._money(told.closing_cents)
        return [
            # Six lines stood before the header of real files; only two of them are recorded.
            ["Account Holder:", self._business_name],
            ["Short Code:", shortcode],
            ["Account:", account],
            ["Time Period:", "From", self._when(since), "To", self._when(until)],
            ["Operator:", "simulator"],
            ["Opening Balance:", opening, "Closing Balance:", closing],
            list(HEADER),
            *(self._row(row) for row in told.rows),
            *([self._totals(told)] if self._shape.totals else []),
        ]

    def _row(self, row: Row) -> list[str]:
        movement, entry = row.movement, row.movement.entry
        when = self._when(entry.moved_at)
        return [
            entry.receipt,
            when,
            when,
            self._details(movement),
            "Completed",
            *self._paid_and_withdrawn(movement.cents),
            self._money(row.balance_cents),
            self._shape.confirmed,
            _reason(movement),
            "" if movement.is_charge else self._person(movement),
            entry.receipt if movement.is_charge else entry.original_receipt or "",
            "" if movement.is_charge else entry.account_reference or "",
        ]

    def _paid_and_withdrawn(self, cents: int) -> tuple[str, str]:
        """One of the two is empty."""
        if cents >= 0:
            return self._money(cents), ""
        return "", self._money(cents if self._shape.minus else -cents)

    def _details(self, movement: Movement) -> str:
        entry, person = movement.entry, self._person(movement)
        if movement.is_charge:
            return _reason(movement)
        match entry.kind:
            case "b2c":
                return f"Business Payment to Customer via API to {person}"
            case "reversal":
                return f"Pay Bill Reversal of {entry.original_receipt} to {person}"
            case "b2b" if movement.cents < 0:
                return f"Business Pay Bill to {person} Acc. {entry.account_reference}"
            case "b2b":
                return f"Business Pay Bill from {person} Acc. {entry.account_reference}"
        if entry.account_reference:
            return f"Pay Bill from {person} Acc. {entry.account_reference}"
        return f"Merchant Payment from {person}"

    def _person(self, movement: Movement) -> str:
        """Numbers of phones are masked since 2026, and stood there whole before."""
        entry, number = movement.entry, movement.entry.msisdn
        if entry.payee is not None:
            other = entry.payee if movement.cents < 0 else entry.shortcode
            return f"{other} - {self._business_name}"
        shown = f"{number[:4]}****{number[-3:]}" if self._shape.masked else number
        return f"{shown} - {self._names[number]}"

    def _totals(self, told: Statement) -> list[str]:
        moved = [row.movement.cents for row in told.rows]
        paid = self._money(sum(cents for cents in moved if cents > 0))
        withdrawn = self._money(sum(cents for cents in moved if cents < 0))
        return ["Total", "", "", "", "", paid, withdrawn, *[""] * 6]

    def _when(self, instant: datetime) -> str:
        return instant.astimezone(NAIROBI).strftime(self._shape.moment)

    def _money(self, cents: int) -> str:
        sign, held = "-" if cents < 0 else "", abs(cents)
        grouped = f"{held // 100:,}" if self._shape.thousands else str(held // 100)
        return f"{sign}{grouped}.{held % 100:02d}"


def _reason(movement: Movement) -> str:
    match movement.entry.kind:
        case "b2c":
            return "B2C Payment Charge" if movement.is_charge else "Business Payment"
        case "reversal":
            return "Transaction Reversal"
        case "b2b":
            return "Business Pay Bill"
    if movement.is_charge:
        return "Pay Bill Charge"
    # Seen in fixtures; and the reason of payments by hand in 2017.
    return "Pay Bill Online" if movement.entry.kind == "stk" else "Pay Utility"


def _shape() -> Shape:
    shape = _chosen("shape", SHAPES, "2025")
    if request.args.get("separator"):
        shape = replace(shape, separator=_chosen("separator", _SEPARATORS, "comma"))
    if request.args.get("bom"):
        shape = replace(shape, bom=_chosen("bom", {"0": False, "1": True}, "0"))
    return shape


def _chosen(name: str, known: Mapping[str, Value], default: str) -> Value:
    found = known.get(request.args.get(name) or default)
    if found is None:
        text = f"{name} must be one of: {', '.join(known)}."
        raise ApiRefused(400, "VALIDATION_ERROR", text)
    return found


def _moment(name: str, default: datetime, *, is_end: bool = False) -> datetime:
    """A day or a time in Nairobi; as an end it is the first instant after it."""
    text = request.args.get(name)
    if not text:
        return default + timedelta(seconds=1 if is_end else 0)
    for form, length in (("%Y-%m-%d", timedelta(days=1)), ("%Y-%m-%dT%H:%M:%S", timedelta(0, 1))):
        try:
            read = datetime.strptime(text, form).replace(tzinfo=NAIROBI)
            return (read + length if is_end else read).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    example = "2026-11-21 or 2026-11-21T16:05:00"
    raise ApiRefused(400, "VALIDATION_ERROR", f"{name} must be a time in Nairobi, {example}.")
