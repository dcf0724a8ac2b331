"""Everything that the shop keeps about somebody, as one JSON file for them to take along.

It holds nobody else's data: a phone number stands whole where its owner has typed it in here, and
masked where somebody else paid for them; staff are "the shop". Hashes, tokens and secrets are not
in it. Money is in shillings, time in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from app.accounts.models import Person
from app.accounts.service import require_password
from app.audit import service as audit
from app.core.clock import iso_seconds, now
from app.core.errors import RateLimited
from app.core.limiting import spend
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.customer import kept_about, kept_money
from app.customer.kept import Row, Subject
from app.settings.service import settings

EXPORTS = "5/hour"
ABOUT = marked(
    "What this shop keeps about you. Amounts are in Kenyan shillings, times in UTC. A phone number "
    "that is not written in full was typed by somebody else who paid for you. Passwords, codes and "
    "keys are not in here: the shop does not have them, or cannot read them."
)
#: Each part of the file by its name. What another room keeps about people belongs in here.
PARTS: tuple[tuple[str, Callable[[Subject], Iterator[Row]]], ...] = (
    ("orders", kept_money.orders),
    ("payments", kept_money.payments),
    ("money_received", kept_money.credits),
    ("refunds", kept_money.refunds),
    ("claims", kept_money.claims),
    ("links", kept_money.links),
    ("mpesa_numbers", kept_about.numbers),
    ("courses", kept_about.courses),
    ("sign_ins", kept_about.own_sign_ins),
    ("written_down", kept_about.audit_rows),
)


def begin(person: Person, password: str) -> Subject:
    """Let somebody take their data, and write down that they did.

    Raises ValidationError for a wrong password, and RateLimited.
    """
    subject = Subject(person.id, person.email)
    require_password(person, password)
    if not spend(EXPORTS, "own-data", f"person:{subject.id}"):
        raise RateLimited(
            marked("You have taken your data several times just now. Try again in an hour."),
            retry_after_seconds=3600,
        )
    with transaction() as session:
        # Before the trail, for which others may wait who refer to this row.
        found = session.get_one(Person, subject.id, with_for_update={"key_share": True})
        audit.record(session, found, "person.took_data", f"person {found.email}")
    return subject


def written(subject: Subject, about: str = ABOUT) -> Iterator[str]:
    """Yield the file, bit by bit: a long history takes no more memory than a short one.

    ``about`` is ABOUT in the language of whoever reads it.
    """
    head = {"about": about, "shop": settings().shop_name, "made_at": iso_seconds(now())}
    yield _json(head)[:-2]
    yield f',\n  "person": {_json(kept_about.who(subject), deeper=True)}'
    for name, rows in PARTS:
        yield f',\n  "{name}": ['
        between = "\n    "
        for row in rows(subject):
            yield between + json.dumps(row, ensure_ascii=False)
            between = ",\n    "
        yield "\n  ]"
    yield "\n}\n"


def _json(value: dict[str, Any], *, deeper: bool = False) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text.replace("\n", "\n  ") if deeper else text
