"""Who may do what in the back office: one table, which every door and every service asks."""

from __future__ import annotations

from enum import StrEnum

from app.core.texts import marked


class Role(StrEnum):
    """What a person is to the shop. ``admin`` is the owner's role, and may do everything."""

    SHOPPER = "shopper"
    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


#: What people call each role.
NAMES: dict[str, str] = {
    Role.SHOPPER: marked("Shopper"),
    Role.VIEWER: marked("Viewer"),
    Role.OPERATOR: marked("Operator"),
    Role.APPROVER: marked("Approver"),
    Role.ADMIN: marked("Admin (owner)"),
}


class May(StrEnum):
    """One thing that may be allowed to a person."""

    #: See every page of the back office, and export what it shows.
    SEE = "see"
    #: Look after orders and payments: cancel, annotate, decide what is before a person.
    SERVE = "serve"
    #: Ask for refunds; an operator's within a limit.
    REFUND = "refund"
    #: Be the second person: payouts, refunds, settlements by hand.
    APPROVE = "approve"
    #: Ask for payouts, and keep suppliers.
    PAY_OUT = "pay_out"
    #: Keep the catalogue: products, prices, stock, pictures.
    KEEP_SHOP = "keep_shop"
    #: Upload statements, assign money, close days.
    RECONCILE = "reconcile"
    #: Change settings, webhooks and addresses.
    SET_UP = "set_up"
    #: Make people, give roles, end other people's sign-ins.
    MANAGE_PEOPLE = "manage_people"


ALLOWED: dict[Role, frozenset[May]] = {
    Role.SHOPPER: frozenset(),
    Role.VIEWER: frozenset({May.SEE}),
    Role.OPERATOR: frozenset({May.SEE, May.SERVE, May.REFUND}),
    Role.APPROVER: frozenset({May.SEE, May.APPROVE}),
    Role.ADMIN: frozenset(May),
}

#: Whoever may do one of these moves money, or says who does and to which shortcode it comes, and
#: proves it is them with a second factor.
MOVES_MONEY = frozenset({May.REFUND, May.APPROVE, May.PAY_OUT, May.SET_UP, May.MANAGE_PEOPLE})
