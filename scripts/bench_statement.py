#!/usr/bin/env python3
"""Reads statements of many rows in, compares them with as many payments, and prints how it went.

    .venv/bin/python scripts/bench_statement.py                  # 100,000 rows
    .venv/bin/python scripts/bench_statement.py 100000 1000000

Each size runs in a process and on a SQLite database of its own, in a folder that is thrown away,
so that the memory told is the peak of that size. A hundred differences are planted in each, and
it exits with 1 unless just these are found.
"""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PLANTED = 100
CHUNK = 10_000
SHORTCODE = "174379"
NAME = f"ORG_{SHORTCODE}_Working Account_Completed_20261121085708.csv"
HEADER = (
    "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,"
    "Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.\r\n"
)


def main() -> int:
    """Run each size that is named, in a process of its own."""
    if os.environ.get("BENCH_ROWS"):
        return run(int(os.environ["BENCH_ROWS"]))
    sizes = [int(text) for text in sys.argv[1:]] or [100_000]
    print(f"{'rows':>10} {'MB':>6} {'read s':>8} {'rows/s':>8} {'compare s':>10} {'peak MB':>8}")
    failed = 0
    for rows in sizes:
        with tempfile.TemporaryDirectory(prefix="lipa-bench-") as folder:
            env = os.environ | {
                "BENCH_ROWS": str(rows),
                "BENCH_FOLDER": folder,
                "DATABASE_URL": f"sqlite:///{folder}/bench.db",
                "LIPA_ENV_FILE": f"{folder}/.env",
                "SECRET_KEY": "s" * 40,
                "JWT_SECRET_KEY": "j" * 40,
            }
            failed |= subprocess.run([sys.executable, __file__], env=env, check=False).returncode
    return failed


def run(rows: int) -> int:
    """Fill the books, write the statement, and read it in; 0 when the planted are found."""
    from flask_migrate import upgrade

    from app import create_app
    from app.config import Settings

    folder = Path(os.environ["BENCH_FOLDER"])
    # Nobody takes tasks here, which is no news.
    logging.disable(logging.WARNING)
    app = create_app(Settings())
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        fill(rows)
        file = folder / NAME
        write(file, rows)
        return told(rows, file)


def fill(rows: int) -> None:
    """Put as many credits into the books as the statement has payments, but for the planted."""
    from sqlalchemy import insert

    from app.core.clock import now
    from app.core.unit_of_work import transaction
    from app.payments.models import Credit

    at = now() - timedelta(hours=12)
    for first in range(0, rows, CHUNK):
        values = [
            {
                "amount_cents": cents_of(number) + (100 if number < PLANTED // 2 else 0),
                "receipt": receipt_of(number),
                "standing": "unmatched",
                "evidence": "callback and query",
                "decided_at": at,
                "created_at": at,
            }
            for number in range(first, min(first + CHUNK, rows))
            if not PLANTED // 2 <= number < PLANTED
        ]
        with transaction() as session:
            session.execute(insert(Credit), values)


def receipt_of(number: int) -> str:
    return f"UKL{number:07d}"


def cents_of(number: int) -> int:
    return (number % 5_000 + 1) * 100


def write(file: Path, rows: int) -> None:
    """Write a statement as the portal exports it, newest first."""
    from app.core.clock import nairobi, now

    since, until = (nairobi(now() + timedelta(hours=hours)) for hours in (-24, 1))
    total = sum(cents_of(number) for number in range(rows))
    with file.open("w", newline="") as out:
        out.write(f"Short Code:,{SHORTCODE}\r\nAccount:,Working Account\r\n")
        out.write(f"Time Period:,From,{since:%d-%m-%Y %H:%M:%S},To,{until:%d-%m-%Y %H:%M:%S}\r\n")
        out.write(f"Opening Balance:,0.00,Closing Balance:,{total // 100}.00\r\n")
        out.write(HEADER)
        out.writelines(lines(rows, nairobi(now() - timedelta(hours=12)).strftime("%d-%m-%Y %H:")))


def lines(rows: int, hour: str) -> Iterator[str]:
    for number in range(rows - 1, -1, -1):
        when = f"{hour}{number // 60 % 60:02d}:{number % 60:02d}"
        yield (
            f"{receipt_of(number)},{when},{when},Pay Bill from 2547****{number % 1000:03d} - JANE "
            f"DOE Acc. INV-{number},Completed,{cents_of(number) // 100}.00,,1500.00,true,"
            f"Pay Bill Online,2547****{number % 1000:03d} - JANE DOE,,INV-{number}\r\n"
        )


def told(rows: int, file: Path) -> int:
    """Send the statement in, do the background's work, and print one line about it."""
    from app.reconciliation import comparing, reading, uploads

    compare, seconds = comparing.compare, {"compare": 0.0}

    def timed(statement_id: int) -> Any:
        began = time.monotonic()
        try:
            return compare(statement_id)
        finally:
            seconds["compare"] = time.monotonic() - began

    comparing.compare = timed
    began = time.monotonic()
    with file.open("rb") as stream:
        statement = uploads.keep(stream, NAME, person()).statement
    said = reading.work(statement.id)
    taken = time.monotonic() - began - seconds["compare"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = file.stat().st_size / 1024 / 1024
    print(
        f"{rows:>10,} {size:>6.0f} {taken:>8.1f} {rows / taken:>8,.0f} "
        f"{seconds['compare']:>10.1f} {peak:>8,}",
        flush=True,
    )
    if said != f"done: {PLANTED} differences":
        print(f"expected {PLANTED} differences, and it is {said}")
        return 1
    return 0


def person() -> Any:
    from app.accounts.models import Person
    from app.accounts.roles import Role
    from app.core.unit_of_work import transaction

    owner = Person(email="bench@example.com", name="Bench", password_hash="", role=Role.ADMIN)
    with transaction() as session:
        session.add(owner)
    return owner


if __name__ == "__main__":
    sys.exit(main())
