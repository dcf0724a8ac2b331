"""The flask commands about the paybill: where Daraja posts what people pay by hand."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from app.core.clock import for_people
from app.core.errors import LipaError
from app.payments.paybill import registration

c2b = AppGroup("c2b", help="Payments that people make to the paybill by hand.")
WHO = "flask command"


@c2b.command("register")
def register() -> None:
    """Have Daraja post payments by hand to this shop, at addresses with a fresh secret."""
    try:
        registered = registration.register(WHO)
    except LipaError as refusal:
        sys.exit(refusal.message)
    if registered.state == registration.PORTAL:
        addresses = registration.addresses_of(registered)
        click.echo(f"Confirmation: {addresses.confirmation_url}")
        click.echo(f"Validation:   {addresses.validation_url}")
    if registered.state != registration.REGISTERED:
        sys.exit(registered.told)
    click.echo(
        f"Paybill {registered.shortcode}: {registered.told} They are at {registered.root}, by C2B "
        f"{registered.version}; while the shop is silent, payments are {registered.response_type}."
    )


@c2b.command("list")
def list_registrations() -> None:
    """List the newest registrations: what, when, by whom and what came of it."""
    for each in registration.newest():
        click.echo(f"{for_people(each.asked_at)}  {each.shortcode}  {each.root}  {each.state}")
        click.echo(f"    by {each.asked_by}: {each.told or 'no answer was written down'}")
