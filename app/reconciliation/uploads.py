"""Files that people send: kept on the disk until they have been read, never in the memory."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import IO, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.engine import make_url

from app.accounts.models import Person
from app.audit import service as audit
from app.config import ROOT
from app.core.statements import insert_or_nothing
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, transaction
from app.disbursements import provider as money_out
from app.extensions import db
from app.reconciliation.cells import text_of
from app.reconciliation.models import Source, Statement
from app.reconciliation.parsing import Heading, open_statement
from app.reconciliation.signals import work_wanted
from app.reconciliation.tables import MOST_ROWS, UnreadableStatement, too_many_rows
from app.settings.service import mpesa_settings, settings

MOST_BYTES = 300 * 1024 * 1024
_CHUNK = 1024 * 1024
#: What a crash between keeping a file and writing its row has left lies no longer than this.
_LEFT_OVER_SECONDS = 24 * 3600


class Kept(NamedTuple):
    """A statement, and whether the very same file was here before."""

    statement: Statement
    is_new: bool


class _Copy(NamedTuple):
    path: Path
    digest: str
    size: int


def folder() -> Path:
    """Return where files wait: UPLOAD_FOLDER, else beside the SQLite database, else instance/."""
    configured = settings()
    if configured.upload_folder:
        return Path(configured.upload_folder)
    url = make_url(configured.sqlalchemy_url)
    is_file = url.get_backend_name() == "sqlite" and url.database
    home = Path(url.database or "").resolve().parent if is_file else ROOT / "instance"
    return home / "uploads"


def file_of(uuid: UUID) -> Path:
    """Return where a statement's file lies while it waits to be read."""
    return folder() / f"{uuid}.statement"


def keep(stream: IO[bytes], name: str, person: Person) -> Kept:
    """Take a statement in, and have it read. The same file again gives the first one's statement.

    Raises UnreadableStatement for what is no statement, or not one of ours.
    """
    shown = text_of(name.replace("\\", "/").rpartition("/")[2], 160) or "statement"
    uuid = uuid4()
    copy = _copy(stream, file_of(uuid))
    try:
        heading = open_statement(copy.path, shown)
        shortcode = _require_ours(heading)
        kept = _write(uuid, copy, shown, shortcode, heading, person)
    except BaseException:
        copy.path.unlink(missing_ok=True)
        raise
    if not kept.is_new:
        copy.path.unlink(missing_ok=True)
    return kept


def _copy(stream: IO[bytes], path: Path) -> _Copy:
    """Write a stream to the disk, piece by piece, and stop at what is too much."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size, lines, is_packed = hashlib.sha256(), 0, 0, False
    try:
        with path.open("wb") as file:
            while piece := stream.read(_CHUNK):
                is_packed = piece.startswith(b"PK") if size == 0 else is_packed
                size += len(piece)
                lines += piece.count(b"\n")
                if size > MOST_BYTES:
                    raise UnreadableStatement(
                        said(
                            "The file has more than {most} MB. Export a shorter period.",
                            most=MOST_BYTES // 1024 // 1024,
                        )
                    )
                if lines > MOST_ROWS and not is_packed:
                    raise too_many_rows()
                digest.update(piece)
                file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _Copy(path, digest.hexdigest(), size)


def our_shortcodes() -> list[str]:
    """Return the shortcode that collects, and the one that pays."""
    return [code for code in (mpesa_settings().shortcode, money_out.shortcode()) if code]


def _require_ours(heading: Heading) -> str:
    told, ours = heading.facts.shortcode, our_shortcodes()
    if told is None:
        raise UnreadableStatement(
            marked(
                "The file says nowhere which shortcode it is about. Send it under the name that "
                "the portal gave it, such as ORG_174379_Utility Account_Completed_20261121.csv."
            )
        )
    if told not in ours:
        names = reduce(lambda one, other: said("{one} and {other}", one=one, other=other), ours)
        raise UnreadableStatement(
            said(
                "This is the statement of shortcode {told}, and this shop's are {ours}.",
                told=told,
                ours=names,
            )
        )
    return told


def _write(
    uuid: UUID, copy: _Copy, name: str, shortcode: str, heading: Heading, person: Person
) -> Kept:
    facts = heading.facts
    values = {
        "uuid": uuid,
        "source": Source.FILE,
        "name": name,
        "digest": copy.digest,
        "shortcode": shortcode,
        "account": facts.account,
        "uploaded_by": person.id,
        "bytes_total": copy.size,
        "period_from": facts.period_from,
        "period_to": facts.period_to,
        "opening_cents": facts.opening_cents,
        "closing_cents": facts.closing_cents,
    }
    with transaction() as session:
        new_id = insert_or_nothing(session, Statement, values, key=["digest"])
        if new_id is not None:
            about = {"file": name[:80], "shortcode": shortcode, "sha256": copy.digest}
            audit.record(session, person, "statement.uploaded", f"statement {new_id}", **about)
            after_commit(lambda: work_wanted.send(statement_id=new_id))
    found = db.session.scalars(select(Statement).where(Statement.digest == copy.digest)).one()
    return Kept(found, new_id is not None)


def sweep_files() -> None:
    """Take away the files of which nobody knows, once they are a day old."""
    with suppress(OSError):
        for path in folder().glob("*.statement"):
            if time.time() - path.stat().st_mtime > _LEFT_OVER_SECONDS and not _is_waited_for(path):
                path.unlink(missing_ok=True)


def _is_waited_for(path: Path) -> bool:
    with suppress(ValueError):
        found = db.session.scalar(select(Statement).where(Statement.uuid == UUID(path.stem)))
        return found is not None and found.is_working
    return False
