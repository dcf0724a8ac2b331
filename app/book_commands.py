"""The flask commands that look at the books: kept callbacks, and what must always be true."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain

import click
import requests
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from app.extensions import db
from app.invariants import Violation, against_ledger, read_ledger, violations
from app.invariants.against_out import against_money_out, read_money_out
from app.payments import inbox
from app.payments.models import InboxMessage
from app.payments.sealing import SealedBody, opened

callbacks = AppGroup("callbacks", help="What Daraja has posted, as it was kept.")


@callbacks.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--unhandled", is_flag=True, help="Only those that were not acted on yet.")
def list_callbacks(limit: int, unhandled: bool) -> None:
    """List the newest callbacks with their verdicts."""
    query = select(InboxMessage).order_by(InboxMessage.id.desc()).limit(limit)
    if unhandled:
        query = query.where(InboxMessage.handled_at.is_(None))
    for message in db.session.scalars(query):
        click.echo(f"{message.id}  {message.received_at:%Y-%m-%d %H:%M:%S}Z  {message.peer}")
        click.echo(f"    {message.verdict or 'not acted on yet'}")


@callbacks.command("replay")
@click.argument("callback_id", type=click.IntRange(1, 2**63 - 1))
@click.option("--dry-run", is_flag=True, help="Say what would happen, and do nothing.")
def replay(callback_id: int, dry_run: bool) -> None:
    """Act on a kept callback again with today's code; repeating changes nothing."""
    if db.session.get(InboxMessage, callback_id) is None:
        sys.exit(f"There is no callback {callback_id}.")
    try:
        if not dry_run:
            click.echo(inbox.handle(callback_id))
            return
        found = inbox.dry_run(callback_id)
    except SealedBody as error:
        sys.exit(str(error))
    click.echo(f"Would say: {found.verdict}")
    for name, value in found.after.items():
        was = found.before.get(name, "")
        click.echo(f"  {name}: {value}" if was == value else f"  {name}: {was or '-'} -> {value}")
    click.echo("Nothing was changed.")


@callbacks.command("show")
@click.argument("callback_id", type=click.IntRange(1, 2**63 - 1))
def show(callback_id: int) -> None:
    """Print a kept callback's body as it came, byte for byte, the payer's number included."""
    message = db.session.get(InboxMessage, callback_id)
    if message is None:
        sys.exit(f"There is no callback {callback_id}.")
    try:
        click.echo(opened(message.raw))
    except SealedBody as error:
        sys.exit(str(error))


@click.command("check_invariants")
@click.option(
    "--ledger",
    metavar="URL",
    default=None,
    help="Root of a simulator, to hold the books against what it says was moved.",
)
@with_appcontext
def check_invariants(ledger: str | None) -> None:
    """Ask the books whether everything that must always be true is; name every offender."""
    found = 0
    for violation in chain(violations(), _against(ledger) if ledger else ()):
        found += 1
        click.echo(f"{violation.rule}: {violation.subject} {violation.problem}")
    if found:
        sys.exit(f"{found} violations.")
    click.echo("Every invariant holds.")


def _against(root: str) -> Iterator[Violation]:
    try:
        came, left = read_ledger(root), read_money_out(root)
    except (requests.RequestException, ValueError, KeyError) as error:
        sys.exit(f"The ledger at {root} cannot be read ({type(error).__name__}).")
    return chain(against_ledger(came), against_money_out(left))
