"""Writing the trail waits for others, and never for somebody who waits for the trail."""

from __future__ import annotations

from app.accounts import people
from app.accounts.models import Person
from app.accounts.roles import Role
from app.audit import service as audit
from app.core.unit_of_work import transaction
from app.extensions import db
from tests.support.app import Account, Shop, together
from tests.support.staff import staff

TIMES = 40


def test_somebody_who_works_can_be_signed_out_at_that_very_moment(
    shop: Shop, admin: Account
) -> None:
    """Whoever locks a person's row waits for the trail, and a row of the trail names its person."""
    operator = staff(shop, "njeri", Role.OPERATOR)

    def work(number: int) -> int:
        with shop.app.app_context():
            for _ in range(TIMES):
                owner = db.session.get_one(Person, admin.id)
                if number:
                    people.end_sign_ins(operator.id, owner, "a lost laptop")
                    continue
                with transaction() as session:
                    audit.record(session, session.get_one(Person, operator.id), "a.test")
        return number

    before = len(rows(shop))
    assert together(2, work) == [0, 1]
    assert len(rows(shop)) == before + 2 * TIMES


def rows(shop: Shop) -> list[int]:
    with shop.app.app_context():
        assert list(audit.faults()) == []
        return [entry.id for entry in audit.newest(limit=1000)]
