"""The flask commands for the M-Pesa account: look it over, set it, try it."""

from __future__ import annotations

import sys
from functools import partial
from urllib.parse import urlsplit

import click
import requests
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.config import Environment
from app.core.errors import LipaError
from app.mpesa.service import MpesaService
from app.mpesa.settings import MissingSettings, MpesaSettings
from app.mpesa.transport import TokenRefused
from app.payments.provider import mpesa
from app.schema import is_up_to_date
from app.settings import service as stored
from app.settings.keys import ENVIRONMENT, Key
from app.settings.service import Source, Standing, settings

WHO = "flask command"
NOT_CONNECTED = "Failed to connect to M-Pesa API"
#: How the passkey ends that some guides print. Safaricom's own, for its sandbox, is another.
MISPRINTED_PASSKEY_END = "b72e1b1f430820"
SAFARICOM = ("safaricom.co.ke", "safaricom.et")


def register(app: Flask) -> None:
    for command in (init_mpesa_settings, set_mpesa_credentials, test_mpesa_connection):
        app.cli.add_command(command)


@click.command("init_mpesa_settings")
def init_mpesa_settings() -> None:
    """Make the rows of the M-Pesa settings, and say of each where it comes from."""
    _require_tables()
    added = stored.add_missing_rows(WHO)
    if added:
        click.echo(f"Made {len(added)} blank settings in the database.")
    standings = stored.overview()
    for standing in standings:
        click.echo(_line(standing))
    _caution(stored.cautions(standings))
    unreadable = [each.problem for each in standings if each.problem]
    if unreadable:
        sys.exit(unreadable[0])
    if names := stored.missing(standings):
        sys.exit(
            f"Missing required M-Pesa settings: {', '.join(names)}\n"
            "Set them by `flask set_mpesa_credentials --interactive`, on /admin/settings, or in "
            ".env."
        )


@click.command("set_mpesa_credentials")
@click.option("--consumer-key", "mpesa_consumer_key")
@click.option("--consumer-secret", "mpesa_consumer_secret")
@click.option("--business-shortcode", "mpesa_business_shortcode", help="The paybill number.")
@click.option("--passkey", "mpesa_passkey", help="For STK push.")
@click.option("--environment", "mpesa_environment", help=", ".join(Environment))
@click.option("--callback-url", "mpesa_callback_url", help="https:// in production.")
@click.option("--interactive", is_flag=True, help="Ask for each; what is typed is not shown.")
def set_mpesa_credentials(interactive: bool, **given: str | None) -> None:
    """Store the M-Pesa account, or parts of it, encrypted in the database."""
    _require_tables()
    values = {name: value for name, value in given.items() if value is not None}
    if interactive:
        values |= _asked_for(stored.overview(), given=values)
    elif not values:
        raise click.UsageError("Nothing to store: give an option, or --interactive.")
    try:
        stored.store_all(values, WHO)
    except LipaError as refusal:
        sys.exit(refusal.message)
    standings = stored.overview()
    for standing in standings:
        if standing.key.name in values:
            _tell(standing)
    _caution(stored.cautions(standings))


@click.command("test_mpesa_connection")
def test_mpesa_connection() -> None:
    """Ask Daraja for an access token: proves key, secret and address. Moves no money."""
    try:
        service = mpesa()
    except (MissingSettings, LipaError) as error:
        sys.exit(str(error))
    _caution(_doubts(service.settings))
    if problem := _problem_of(service):
        sys.exit(f"{NOT_CONNECTED}: {problem}")
    click.echo(
        f"Connected to M-Pesa API: {_host(service.settings.token_url)} gave an access token "
        f"({settings().mpesa_environment}). Shortcode and passkey are proven by the first prompt."
    )


def _require_tables() -> None:
    try:
        ready = is_up_to_date()
    except SQLAlchemyError as error:
        sys.exit(f"The database does not answer ({type(error).__name__}).")
    if not ready:
        sys.exit("The database is not up to date. Run `flask prepare`, or `flask db upgrade`.")


def _line(standing: Standing) -> str:
    shown = standing.shown or "-"
    return f"  {standing.key.name:<26} {shown}  ({standing.source})"


def _asked_for(standings: list[Standing], given: dict[str, str]) -> dict[str, str]:
    """Ask for what was not given already; an empty answer leaves a value as it is."""
    click.echo("Press Enter to leave a value as it is.")
    answers = {}
    for standing in standings:
        key = standing.key
        if key.name in given:
            continue
        answer = click.prompt(
            f"{key.label} [{standing.shown or 'not set'}]",
            default="",
            show_default=False,
            hide_input=key.is_secret,
            value_proc=partial(_readable, key),
        )
        if answer:
            answers[key.name] = answer
    return answers


def _readable(key: Key, text: str) -> str:
    try:
        return key.readable(text) if text.strip() else ""
    except ValueError as error:
        raise click.BadParameter(f"This {error}.") from error


def _tell(standing: Standing) -> None:
    key = standing.key
    click.echo(f"Stored {key.name}.")
    if standing.source is Source.ENVIRONMENT:
        _caution([f"{key.name}: {key.variable} is set in the environment or .env and comes first."])
    elif key is ENVIRONMENT and standing.value != settings().mpesa_environment:
        click.echo(f"  {key.name} counts when the shop is started again.")
    elif key.is_required and settings().is_simulator:
        click.echo("  The embedded simulator knows it when the shop is started again.")


def _problem_of(service: MpesaService) -> str | None:
    try:
        service.test_connection()
    except TokenRefused as error:
        return f"Invalid credentials (HTTP {error.status}). Copy consumer key and secret again."
    except requests.RequestException as error:
        host = _host(service.settings.token_url)
        return f"{host} does not answer ({type(error).__name__}). Check network and addresses."
    except Exception as error:
        # The service's own words for an answer that nobody can use.
        return str(error)
    return None


def _doubts(account: MpesaSettings) -> list[str]:
    at_safaricom = _host(account.push_url).endswith(SAFARICOM)
    doubts = []
    if at_safaricom and (account.passkey or "").endswith(MISPRINTED_PASSKEY_END):
        doubts.append(
            "The passkey is one that some guides misprint: Safaricom refuses prompts with it. Its "
            "sandbox's own ends in ada1ed2c919."
        )
    addresses = (account.token_url, account.push_url, account.query_url)
    if settings().is_production and any("sandbox." in _host(address) for address in addresses):
        doubts.append("The environment is production, and an address is the sandbox's.")
    return doubts


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _caution(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(f"Warning: {sentence}", err=True)
