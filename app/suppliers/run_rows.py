"""What the rows of a file would pay, held against the suppliers as they are now."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from uuid import UUID

from sqlalchemy import select

from app.core.money import CENTS, Kes
from app.core.texts import marked, said
from app.extensions import db
from app.mpesa.phone import masked, msisdn
from app.settings.service import settings
from app.suppliers.models import Supplier
from app.suppliers.payouts import LEAST_SHILLINGS, MOST_NOTES
from app.suppliers.run_files import FORMULA_MARKS, Line, both

_WHOLE = re.compile(r"[0-9]{1,10}(\.0{1,2})?")
_CENTS = re.compile(r"[0-9]{1,10}\.[0-9]{1,2}")
_GROUPED = re.compile(r"[0-9]+([,.' \u00a0\u2019][0-9]+)+")
_SHORTENED = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]+")


@dataclass(frozen=True)
class Known:
    """A supplier, as far as rows are held against it. ``number`` is twelve digits."""

    id: int
    uuid: UUID
    name: str
    number: str
    is_active: bool


@dataclass(frozen=True)
class Row:
    """One row, understood. It can be paid when it has no ``problems``.

    ``same_as`` is the earlier row that pays the same supplier the same amount.
    """

    line: Line
    supplier: Known | None
    cents: int | None
    problems: tuple[str, ...]
    same_as: int | None = None

    @property
    def is_payable(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Judgement:
    """All rows of a file, in its order."""

    rows: tuple[Row, ...]

    @cached_property
    def payable(self) -> list[Row]:
        return [row for row in self.rows if row.is_payable]

    @cached_property
    def wrong(self) -> list[Row]:
        return [row for row in self.rows if not row.is_payable]

    @cached_property
    def repeated(self) -> list[Row]:
        return [row for row in self.payable if row.same_as is not None]

    @property
    def total_cents(self) -> int:
        return sum(row.cents or 0 for row in self.payable)

    @property
    def seal(self) -> str:
        """Name what would be paid to whom under which number, so that a change is noticed."""
        told = [
            (row.line.row, row.supplier.id, row.supplier.number, row.cents, row.line.notes)
            for row in self.payable
            if row.supplier
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def judge(lines: Sequence[Line]) -> Judgement:
    """Hold every row against the suppliers and the limits of the moment."""
    register = _Register.for_lines(lines)
    first_rows: dict[tuple[int, int], int] = {}
    rows = []
    for line in lines:
        supplier, problems = register.find(line)
        cents, wrong = _amount(line.amount)
        problems += [problem for problem in (wrong, *_text_problems(line)) if problem]
        same_as = None
        if supplier is not None and cents is not None and not problems:
            earlier = first_rows.setdefault((supplier.id, cents), line.row)
            same_as = earlier if earlier != line.row else None
        rows.append(Row(line, supplier, cents, tuple(problems), same_as))
    return Judgement(tuple(rows))


def _amount(text: str) -> tuple[int | None, str | None]:
    """Read an amount in shillings as cents, or say what is wrong with it."""
    if not _WHOLE.fullmatch(text):
        return None, _what_is_wrong(text)
    cents, most = int(text.partition(".")[0]) * CENTS, settings().payout_max_amount
    if cents < LEAST_SHILLINGS * CENTS:
        least = Kes(LEAST_SHILLINGS * CENTS)
        return cents, said(
            "{amount} is less than M-Pesa pays out, which is {least}.",
            amount=Kes(cents),
            least=least,
        )
    if cents > most * CENTS:
        return cents, said(
            "{amount} is above {most}, the most for one payout.",
            amount=Kes(cents),
            most=Kes(most * CENTS),
        )
    return cents, None


def _what_is_wrong(text: str) -> str:
    shown = text[:40]
    if not text:
        return marked("The amount is missing.")
    if _CENTS.fullmatch(text):
        return said("{amount} has cents, and M-Pesa pays whole shillings.", amount=shown)
    if _GROUPED.fullmatch(text):
        return said(
            "{amount} can be read in two ways. Write digits only, such as 1500.", amount=shown
        )
    return said("The amount {amount} is not a number of shillings, such as 1500.", amount=shown)


def _text_problems(line: Line) -> list[str]:
    problems = [line.problem] if line.problem else []
    cells = (line.supplier, line.supplier_id, line.name, line.notes)
    if any(cell.startswith(FORMULA_MARKS) for cell in cells):
        problems.append(marked("A cell begins like a formula (=, +, - or @). Take that mark away."))
    if not all(cell.isprintable() for cell in (*cells, line.number)):
        problems.append(marked("A cell has a character that cannot be seen. Type it anew."))
    if len(line.notes) > MOST_NOTES:
        problems.append(said("Notes take {most:,} characters at most.", most=MOST_NOTES))
    return problems


@dataclass
class _Register:
    """The suppliers that the rows of one file may mean, by each of their names."""

    by_id: dict[int, Known] = field(default_factory=dict)
    by_uuid: dict[UUID, Known] = field(default_factory=dict)
    by_name: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))
    by_number: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def for_lines(cls, lines: Iterable[Line]) -> _Register:
        wanted = {_folded(text) for line in lines for text in _texts(line)}
        numbers = {number for text in wanted if (number := msisdn(text))}
        register = cls()
        columns = (Supplier.id, Supplier.uuid, Supplier.name, Supplier.mpesa_number)
        query = select(*columns, Supplier.is_active).order_by(Supplier.id)
        for values in db.session.execute(query.execution_options(yield_per=1000)):
            known = Known(*values)
            named = {str(known.id), str(known.uuid), _folded(known.name)}
            if known.number in numbers or named & wanted:
                register._add(known)
        return register

    def find(self, line: Line) -> tuple[Known | None, list[str]]:
        """Return whom a row means, or what is wrong with how it says so."""
        named = self._named(line)
        empty = next((label for label, found in named if not found), None)
        if empty is not None:
            return None, [said("There is no supplier {named}.", named=empty)]
        if not named:
            return self._by_number_alone(line.number)
        common = set.intersection(*(set(found) for _label, found in named))
        if not common:
            labels = (label for label, _found in named)
            told = reduce(both, labels)
            return None, [said("The supplier {named} is not one and the same.", named=told)]
        return _with_number(common, line.number)

    def _named(self, line: Line) -> list[tuple[str, list[Known]]]:
        """Return for each way in which a row names a supplier whom it may mean."""
        named: list[tuple[str, list[Known]]] = []
        if line.supplier_id:
            label = said("with the id {id}", id=line.supplier_id[:40])
            named.append((label, self._by_id(line.supplier_id)))
        if line.name:
            label = said("called {name}", name=line.name[:60])
            named.append((label, self.by_name.get(_folded(line.name), [])))
        if line.supplier:
            number = msisdn(line.supplier)
            label = said("called {name}", name=line.supplier[:60])
            if number:
                label = said("with the number {number}", number=masked(number))
            named.append((label, self._by_any(line.supplier, number)))
        return named

    def _by_any(self, text: str, number: str | None) -> list[Known]:
        called = self.by_name.get(_folded(text), [])
        return called or (self.by_number.get(number, []) if number else self._by_id(text))

    def _by_id(self, text: str) -> list[Known]:
        if text.isascii() and text.isdigit():
            found = self.by_id.get(int(text)) if len(text) < 16 else None
        else:
            try:
                found = self.by_uuid.get(UUID(text))
            except ValueError:
                found = None
        return [found] if found else []

    def _by_number_alone(self, text: str) -> tuple[Known | None, list[str]]:
        if not text:
            return None, [marked("It names no supplier.")]
        number = msisdn(text)
        if number is None:
            return None, [_bad_number(text)]
        if not self.by_number.get(number):
            return None, [said("No supplier has the number {number}.", number=masked(number))]
        return _one_of(set(self.by_number[number]))

    def _add(self, known: Known) -> None:
        self.by_id[known.id] = self.by_uuid[known.uuid] = known
        self.by_name[_folded(known.name)].append(known)
        self.by_number[known.number].append(known)


def _with_number(found: set[Known], text: str) -> tuple[Known | None, list[str]]:
    if not text:
        return _one_of(found)
    number = msisdn(text)
    if number is None:
        return None, [_bad_number(text)]
    fitting = {known for known in found if known.number == number}
    if fitting:
        return _one_of(fitting)
    on_file = sorted({masked(known.number) for known in found})
    return None, [
        said(
            "The number {number} is not the one on file, {on_file}. Mend the file, or change the "
            "number on the supplier's page.",
            number=masked(number),
            on_file=reduce(_either, on_file),
        )
    ]


def _either(one: str, other: str) -> str:
    return said("{one} or {other}", one=one, other=other)


def _one_of(found: set[Known]) -> tuple[Known | None, list[str]]:
    active = [known for known in found if known.is_active]
    if len(active) == 1:
        return active[0], []
    if not active:
        return None, [said("{name} is not active any more.", name=next(iter(found)).name)]
    return None, [said("{count} suppliers fit. Name it by its id too.", count=len(active))]


def _bad_number(text: str) -> str:
    if _SHORTENED.fullmatch(text):
        return marked("The spreadsheet has shortened the number. Format its column as text.")
    return marked("The number is not a Kenyan mobile number, such as 0712345678.")


def _texts(line: Line) -> tuple[str, ...]:
    return (line.supplier, line.supplier_id, line.name, line.number)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
