"""The flask commands: set up, make people, look after a running shop."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from flask_migrate import upgrade
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app import doctor, setting_commands
from app.accounts import people
from app.accounts import service as accounts
from app.accounts.models import Person
from app.accounts.roles import Role
from app.audit.commands import check_audit
from app.book_commands import callbacks, check_invariants
from app.config import ROOT, Settings
from app.core.errors import LipaError
from app.core.unit_of_work import transaction
from app.customer.commands import erase
from app.database_commands import database
from app.extensions import db
from app.jobs import WORKERS, Jobs, QueueAway
from app.monitoring import configure_logging
from app.monitoring.meters import folder_of, leave, share
from app.orders.catalogue import DEMO_PRODUCTS
from app.orders.models import Product
from app.paybill_commands import c2b
from app.payments import service as payments
from app.schema import MIGRATIONS, is_up_to_date
from app.settings.at_start import simulator_variables

users = AppGroup("users", help="People with an account.")
DEMO_PEOPLE = (
    ("admin@example.com", "Achieng Odhiambo", Role.ADMIN),
    ("shopper@example.com", "John Kamau", Role.SHOPPER),
)


def register(app: Flask) -> None:
    users.add_command(erase)
    app.cli.add_command(users)
    app.cli.add_command(prepare)
    app.cli.add_command(callback_url)
    app.cli.add_command(callbacks)
    app.cli.add_command(check_invariants)
    app.cli.add_command(database)
    app.cli.add_command(c2b)
    app.cli.add_command(check_audit)
    app.cli.add_command(run_doctor)
    app.cli.add_command(simulator)
    app.cli.add_command(worker)
    setting_commands.register(app)


@click.command("prepare")
def prepare() -> None:
    """Bring the database up to date; in the simulator environment, fill the demo shop."""
    if is_up_to_date():
        click.echo("The database is up to date.")
    else:
        upgrade(directory=str(MIGRATIONS))
    settings: Settings = current_app.extensions["lipa_settings"]
    if settings.is_simulator:
        _stock_demo_shop()
        _make_demo_people(settings.demo_password)


@users.command("create")
@click.option("--email", required=True)
@click.option("--password", required=True)
@click.option("--name", default=None, help="Defaults to the part before the @.")
@click.option("--admin", is_flag=True, help="Make this person an admin: --role admin.")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default="shopper", show_default=True
)
def create_user(email: str, password: str, name: str | None, admin: bool, role: str) -> None:
    """Make a person without the web."""
    role = Role.ADMIN if admin else Role(role)
    try:
        person = accounts.register(email, password, name or email.partition("@")[0], role=role)
    except LipaError as refusal:
        sys.exit(refusal.message)
    click.echo(f"Made {person.email} ({person.role}).")


@users.command("reset_second_factor")
@click.option("--email", required=True)
@click.option("--why", required=True, help="It stands in the audit trail.")
def reset_second_factor(email: str, why: str) -> None:
    """Take somebody's second factor away: an only owner whose phone and codes are lost."""
    try:
        person = people.find_by_email(email)
        people.reset_second_factor(person.id, "flask users", why)
    except LipaError as refusal:
        sys.exit(refusal.message)
    click.echo(f"{email} signs in with the password alone, and may set up a new one.")


@click.command("callback_url")
@click.argument("payment")
def callback_url(payment: str) -> None:
    """Print the callback address of PAYMENT (integer, UUID or TXN…), token included."""
    settings: Settings = current_app.extensions["lipa_settings"]
    if settings.is_production:
        sys.exit("Not in production: this address lets its holder speak for M-Pesa.")
    try:
        address = payments.callback_address(payments.find_payment(payment))
    except LipaError as refusal:
        sys.exit(refusal.message)
    click.echo(address)


@click.command("doctor")
def run_doctor() -> None:
    """Look this set-up over and tell what to mend."""
    findings = doctor.examine()
    for remark in doctor.remarks():
        click.echo(remark)
    for finding in findings:
        click.echo(f"- {finding.problem}\n  Mend: {finding.mend}")
    if findings:
        sys.exit(1)
    click.echo("All is well.")


@click.command("simulator")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=None, help="Defaults to SIMULATOR_PORT.")
def simulator(host: str, port: int | None) -> None:
    """Run the Daraja simulator alone."""
    from app.simulator.server import serve
    from app.simulator.settings import SimulatorSettings

    settings: Settings = current_app.extensions["lipa_settings"]
    if settings.is_production:
        sys.exit("Not in production: the simulator's money is not real.")
    wanted = SimulatorSettings.from_environment(os.environ | simulator_variables(settings))
    serve(replace(wanted, host=host, port=port or wanted.port))


@click.command("worker")
@click.option("--threads", type=click.IntRange(1, 64), default=WORKERS, show_default=True)
def worker(threads: int) -> None:
    """Do the background's work in a process of its own, beside a server without a worker."""
    if problem := _why_no_worker():
        sys.exit(problem)
    jobs: Jobs = current_app.extensions["lipa_jobs"]
    try:
        jobs.open()
    except QueueAway as error:
        sys.exit(str(error))
    click.echo(f"Working on the queue in {jobs.place}, threads: {threads}. Stop with Ctrl-C.")
    configured: Settings = current_app.extensions["lipa_settings"]
    configure_logging(as_json=configured.logs_json)
    figures = folder_of(configured.sqlalchemy_url, ROOT / "instance")
    share(figures)
    jobs.run(threads)
    leave(figures)


def _why_no_worker() -> str | None:
    settings: Settings = current_app.extensions["lipa_settings"]
    if not settings.secret_key:
        return "Set SECRET_KEY: the server and its workers know each other's tasks by it."
    try:
        current = is_up_to_date()
    except SQLAlchemyError as error:
        return f"The database does not answer ({type(error).__name__})."
    return None if current else "The database is not up to date. Run `flask prepare`."


def _stock_demo_shop() -> None:
    if db.session.scalar(select(func.count(Product.id))):
        return
    with transaction() as session:
        session.add_all(Product(**asdict(row)) for row in DEMO_PRODUCTS)
    click.echo(f"Put {len(DEMO_PRODUCTS)} products on the shelves.")


def _make_demo_people(password: str | None) -> None:
    for email, name, role in DEMO_PEOPLE:
        if db.session.scalar(select(Person.id).where(Person.email == email)):
            continue
        if not password:
            click.echo("No demo people: DEMO_PASSWORD is not set.")
            return
        accounts.register(email, password, name, role=role)
        click.echo(f"Made the demo account {email}.")
