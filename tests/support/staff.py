"""People who work in the back office, each with a role."""

from __future__ import annotations

from app.accounts.models import Person
from app.accounts.roles import Role
from app.core.unit_of_work import transaction
from tests.support.app import Account, Shop


def staff(shop: Shop, name: str, role: Role) -> Account:
    """Return somebody of that role, signed in."""
    account = shop.person(name)
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, account.id).role = role
    return account
