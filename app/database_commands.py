"""The flask commands about the database as a whole."""

from __future__ import annotations

import sys

import click
from flask import current_app
from flask.cli import AppGroup
from flask_migrate import upgrade

from app.config import Settings
from app.invariants import violations
from app.moving import CannotMove, move
from app.schema import MIGRATIONS, is_up_to_date

database = AppGroup("database", help="The database as a whole.")


@database.command("move")
@click.argument("source")
def move_here(source: str) -> None:
    """Carry a shop's books from SOURCE into the empty database that DATABASE_URL names.

    SOURCE is an address such as sqlite:///instance/lipa.db. Stop the shop first. SOURCE stays as
    it is.
    """
    settings: Settings = current_app.extensions["lipa_settings"]
    if not is_up_to_date():
        upgrade(directory=str(MIGRATIONS))
    address = settings.model_copy(update={"database_url": source}).sqlalchemy_url
    rows = 0
    try:
        for moved in move(address, settings.sqlalchemy_url):
            rows += moved.rows
            if moved.rows:
                click.echo(f"{moved.rows:>10,}  {moved.table}")
    except CannotMove as problem:
        sys.exit(f"{problem} Nothing was moved.")
    click.echo(f"{rows:,} rows have arrived.")
    if next(violations(), None):
        sys.exit("The books do not add up, as they did not before: see `flask check_invariants`.")
