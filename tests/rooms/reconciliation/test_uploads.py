"""Files that are sent in: kept once, read by the background, and refused in words."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.unit_of_work import transaction
from app.extensions import db
from app.reconciliation import reading, uploads
from app.reconciliation.models import Difference, Phase, Statement, StatementRow
from app.reconciliation.parsing import Totals, open_statement, rows_of
from app.reconciliation.signals import work_wanted
from app.reconciliation.tables import Meter
from tests.rooms.admin.desk import Desk, flashed, problems, title
from tests.rooms.admin.test_access import IMAGE, SCRIPT
from tests.support.app import Shop
from tests.support.statements import (
    SHORTCODE,
    Line,
    Paper,
    differences,
    path_of,
    receipt,
    send,
    sent,
    statement_at,
    taken,
    worked,
)

MINUTE = timedelta(minutes=1)


def papers(count: int) -> Paper:
    return Paper([Line(receipt(), now() - MINUTE, 100_00 + number) for number in range(count)])


def rows_in(shop: Shop, model: type) -> int:
    with shop.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_the_same_file_twice_shows_the_first_one_s_result(shop: Shop, desk: Desk) -> None:
    data, name = (paper := papers(3)).csv(), paper.name()
    first = taken(shop, send(desk, data, name))
    again = send(desk, data, "another name.csv")
    assert again.location.endswith(str(first.uuid))
    assert "This very file was sent before" in flashed(desk.read(again.location))[0]
    assert (rows_in(shop, Statement), rows_in(shop, StatementRow)) == (1, 3)


def test_nothing_is_left_of_a_file_once_it_has_been_read(
    shop: Shop, desk: Desk, uploads: Path
) -> None:
    answer = send(desk, papers(2).csv(), papers(1).name())
    assert len(list(uploads.iterdir())) == 1
    taken(shop, answer)
    assert list(uploads.iterdir()) == []
    send(desk, b"no statement", "a.csv")
    assert list(uploads.iterdir()) == []


def test_another_shop_s_statement_is_refused_in_words(shop: Shop, desk: Desk) -> None:
    paper = Paper([], shortcode="999888")
    answer = send(desk, paper.csv(), paper.name())
    assert answer.status_code == 400
    [told] = problems(answer.text)
    assert "the statement of shortcode 999888" in told
    assert SHORTCODE in told
    assert rows_in(shop, Statement) == 0


def test_a_statement_of_nobody_is_refused(shop: Shop, desk: Desk) -> None:
    lines = Paper([]).csv().split(b"\r\n")
    without = b"\r\n".join(line for line in lines if not line.startswith(b"Short Code"))
    assert "says nowhere which shortcode" in problems(send(desk, without, "export.csv").text)[0]
    # The name that the portal gave it is enough.
    assert send(desk, without, Paper([]).name()).status_code == 303


@pytest.mark.parametrize("lost", [1, 40], ids=["a row", "most of it"])
def test_half_a_file_does_not_count_as_agreeing(shop: Shop, desk: Desk, lost: int) -> None:
    paper = papers(50)
    whole = paper.csv().rstrip(b"\r\n").split(b"\r\n")
    answer = send(desk, b"\r\n".join(whole[:-lost]) + b"\r\n", paper.name())
    statement = taken(shop, answer)
    [doubt] = statement.doubts
    assert "rows are missing, or stand there twice" in doubt
    page = desk.read(path_of(statement))
    assert "does not count as agreeing" in page
    assert "Everything agrees" not in page


def test_a_row_that_stands_there_twice_is_said_and_counted_once(shop: Shop, desk: Desk) -> None:
    paper = papers(2)
    data = paper.csv()
    last = data.rstrip(b"\r\n").rpartition(b"\r\n")[2]
    statement = taken(shop, send(desk, data + last + b"\r\n", paper.name()))
    assert len(statement.doubts) == 1
    assert statement.in_cents == sum(line.cents for line in paper.lines)
    told = [row.theirs_cents for row in differences(shop, statement)]
    assert sorted(told) == sorted(line.cents for line in paper.lines)


@pytest.mark.parametrize("text", [SCRIPT, IMAGE, "{{ 7 * 7 }}", "=HYPERLINK(0)"])
def test_f1_what_others_write_into_a_statement_does_nothing(
    shop: Shop, desk: Desk, text: str
) -> None:
    """F1: names, accounts, details and the file's own name."""
    line = Line(receipt(), now(), 500_00, details=text, party=text, account=text[:40])
    broken = Line(text, now(), 1_00)
    paper = Paper([line, broken])
    name = f"{text}.csv".replace('"', "%22").replace("/", "")
    statement = taken(shop, send(desk, paper.csv(), name))
    for path in (path_of(statement), "/admin/reconciliation"):
        raw = desk.open(path).text
        for harm in (SCRIPT, "<img src=x", ">49<"):
            assert harm not in raw, path


def test_what_a_crash_has_left_is_taken_up_again(
    shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies between two pieces; the sweep finds the statement once its time is over."""
    monkeypatch.setattr(reading, "CHUNK", 10)
    answer = send(desk, papers(45).csv(), papers(1).name())
    write, pieces = reading.Claim.hold, iter(range(100))

    def dying(claim: reading.Claim, *args: object, **values: object) -> None:
        if "rows_read" in values and next(pieces) == 3:
            raise KeyboardInterrupt
        write(claim, *args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(reading.Claim, "hold", dying)
    with pytest.raises(KeyboardInterrupt):
        worked(shop, answer.location)
    monkeypatch.setattr(reading.Claim, "hold", write)
    assert 0 < rows_in(shop, StatementRow) < 45
    assert title(desk.read(answer.location)).startswith("Being read")
    with shop.app.app_context():
        db.session.remove()
        found = statement_at(answer.location)
        assert reading.work(found.id) == "somebody is at it, or nothing is left to do"
        late = now() - MINUTE
        with transaction() as session:
            session.execute(update(Statement).values(claimed_until=late))
        woken: list[int] = []
        with work_wanted.connected_to(lambda _, statement_id: woken.append(statement_id)):
            reading.sweep()
        assert woken == [found.id]
    statement = worked(shop, answer.location)
    assert (statement.phase, statement.rows_read) == (Phase.DONE, 45)
    assert rows_in(shop, StatementRow) == 45


def test_who_was_overtaken_writes_no_more(shop: Shop, desk: Desk) -> None:
    answer = send(desk, papers(3).csv(), papers(1).name())
    with shop.app.app_context():
        found = statement_at(answer.location)
        late = reading._claim(found.id)
        with transaction() as session:
            session.execute(update(Statement).values(claimed_until=now() - MINUTE))
        reading.work(found.id)
        assert late is not None
        with pytest.raises(reading.Overtaken), transaction() as session:
            late.hold(session, phase=Phase.REFUSED)
        assert statement_at(answer.location).phase == Phase.DONE


def test_a_file_on_which_workers_die_is_given_up(shop: Shop, desk: Desk, uploads: Path) -> None:
    answer = send(desk, papers(1).csv(), papers(1).name())
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Statement).values(tries=reading.MOST_TRIES))
    statement = worked(shop, answer.location)
    assert statement.phase == Phase.REFUSED
    assert "again and again" in desk.read(answer.location)
    # It may be sent again.
    assert send(desk, papers(1).csv(), papers(1).name()).status_code == 303


def test_files_that_nobody_knows_are_swept_away(
    shop: Shop, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.mkdir()
    lost = uploads / "0b5f8a0e-7a7e-4a40-9d55-3d8f5b8b6a11.statement"
    lost.write_bytes(b"x")
    with shop.app.app_context():
        reading.sweep()
        assert lost.exists()
        monkeypatch.setattr("app.reconciliation.uploads._LEFT_OVER_SECONDS", -1)
        reading.sweep()
    assert not lost.exists()


def test_a_file_takes_the_same_memory_however_long_it_is(shop: Shop, uploads: Path) -> None:
    """Ten times the rows, and no more at once than a piece of them."""

    def peak_of(count: int) -> int:
        data = papers(count).csv()
        uploads.mkdir(exist_ok=True)
        path = uploads / f"{count}.csv"
        path.write_bytes(data)
        del data
        gc.collect()
        tracemalloc.start()
        heading = open_statement(path, Paper([]).name())
        rows = sum(int(row.cents > 0) for row in rows_of(path, heading, Meter(), Totals()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == count
        return peak

    peak_of(10)
    assert peak_of(20_000) < peak_of(2_000) * 2 + 200_000


def test_a_stranger_s_file_is_not_read(shop: Shop, desk: Desk) -> None:
    """More than a form may have is refused before anybody has looked who it is from."""
    data = b"x\n" * 1_000_000
    other = Desk(shop, shop.person("otieno"))
    assert send(other, data, "a.csv").status_code == 413
    answer = send(desk, data, "a.csv")
    assert answer.status_code == 400
    assert "not an M-Pesa statement" in problems(answer.text)[0]
    assert rows_in(shop, Difference) == 0


def test_a_file_that_is_too_long_is_refused_while_it_comes(
    shop: Shop, desk: Desk, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.reconciliation.uploads.MOST_ROWS", 20)
    assert "more than" in problems(send(desk, papers(30).csv(), papers(1).name()).text)[0]
    monkeypatch.setattr("app.reconciliation.uploads.MOST_BYTES", 500)
    assert "more than 0 MB" in problems(send(desk, papers(5).csv(), papers(1).name()).text)[0]
    assert list(uploads.iterdir()) == []


def test_a_shop_may_send_in_what_its_paying_shortcode_says(shop: Shop, desk: Desk) -> None:
    shop.set(mpesa_b2c_shortcode="600000")
    statement = sent(shop, desk, Paper([], shortcode="600000", account="Utility Account"))
    assert statement.is_whole
    with shop.app.app_context():
        assert uploads.our_shortcodes() == [SHORTCODE, "600000"]
