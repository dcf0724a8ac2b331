"""What customers paid in the last 48 hours, asked of Daraja and compared like any statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import for_people, now
from app.core.errors import Conflict, InvalidPhone, ProviderUnavailable
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.extensions import db
from app.mpesa.phone import msisdn
from app.mpesa.pull import WINDOW, Pulled, PullRefused, PullTransactions, read_pulled
from app.mpesa.settings import MissingSettings
from app.payments.provider import transport
from app.reconciliation.cells import BadCell, cents_of, text_of
from app.reconciliation.models import UNFINISHED, RowKind, Source, Statement
from app.reconciliation.parsing import Row
from app.reconciliation.signals import work_wanted
from app.reconciliation.tables import Meter
from app.settings.service import CALLBACK_PATH, mpesa_settings, public_root, settings
from app.tunnel import NoTunnel

#: What came in this moment may not be told yet.
_MARGIN = timedelta(minutes=1)


def ask(person: Person, nominated_number: str) -> Statement:
    """Have Daraja asked for the last 48 hours, in the background; return the statement it fills.

    A number registers the shortcode first; that is needed once. Raises Conflict while another
    question is under way, InvalidPhone, and ProviderUnavailable when Daraja refuses.
    """
    number = msisdn(nominated_number) if nominated_number.strip() else None
    if nominated_number.strip() and number is None:
        raise InvalidPhone
    try:
        shortcode = mpesa_settings().shortcode or ""
        if number:
            end_reads()
            _service(shortcode).register(number, public_root() + CALLBACK_PATH)
    except (PullRefused, MissingSettings, NoTunnel) as refusal:
        raise ProviderUnavailable(str(refusal)) from refusal
    return _begin(person, shortcode)


def _begin(person: Person, shortcode: str) -> Statement:
    # Whole seconds, since Daraja is asked in them.
    until = (now() - _MARGIN).replace(microsecond=0)
    since = until - WINDOW + 2 * _MARGIN
    under_way = select(Statement.id).where(
        Statement.source == Source.PULL, Statement.phase.in_(UNFINISHED)
    )
    with transaction() as session:
        if session.scalar(under_way) is not None:
            raise Conflict(marked("Daraja is being asked already. Wait for that to end."))
        statement = Statement(
            source=Source.PULL,
            name=said("The 48 hours before {when}", when=for_people(until)),
            shortcode=shortcode,
            uploaded_by=person.id,
            period_from=since,
            period_to=until,
            doubts=[],
        )
        session.add(statement)
        session.flush()
        new_id = statement.id
        audit.record(session, person, "statement.pulled", f"statement {new_id}", of=shortcode)
        after_commit(lambda: work_wanted.send(statement_id=new_id))
    return db.session.get_one(Statement, new_id)


def rows(shortcode: str, since: datetime, until: datetime, meter: Meter) -> Iterator[Row]:
    """Yield what Daraja tells, as rows of a statement; what cannot be read is noted.

    Calls out, so no transaction may be open. Raises PullRefused.
    """
    line = 0
    try:
        service = _service(shortcode)
    except MissingSettings as refusal:
        raise PullRefused(str(refusal)) from refusal
    for page in service.pages(since, until):
        for told in page:
            line += 1
            try:
                yield _row(line, read_pulled(told))
            except (ValueError, BadCell) as error:
                meter.note(
                    text_of(said("row {line}: {problem}", line=line, problem=error.args[0]), 200)
                )


def _row(line: int, pulled: Pulled) -> Row:
    return Row(
        line=line,
        receipt=pulled.receipt,
        at=pulled.at,
        kind=RowKind.IN,
        cents=cents_of(pulled.amount) or 0,
        completed=True,
        details=text_of(pulled.kind, 255),
        party=text_of(pulled.msisdn, 160),
        account_ref=text_of(pulled.account, 40),
    )


def _service(shortcode: str) -> PullTransactions:
    account = mpesa_settings()
    account.require()
    return PullTransactions(transport(account), settings().daraja_root, shortcode)
