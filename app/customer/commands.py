"""Forgetting somebody who asks the shop for it, without the web."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from app.accounts import people
from app.core.errors import LipaError
from app.customer import erasure


@click.command("erase")
@with_appcontext
@click.option("--email", required=True)
@click.option("--why", required=True, help="It stands in the audit trail.")
def erase(email: str, why: str) -> None:
    """Erase somebody's account. The books keep orders, payments and the numbers that paid."""
    try:
        erasure.erase(people.find_by_email(email).id, "flask users", why)
    except erasure.StillOpen as refusal:
        sys.exit("\n- ".join([refusal.message, *(reason.why for reason in refusal.reasons)]))
    except LipaError as refusal:
        sys.exit(refusal.message)
    click.echo("Erased. The books keep orders, payments and refunds, without a name.")
