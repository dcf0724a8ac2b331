"""Times each of the background's rounds in the shop of this environment; prints them as JSON."""

from __future__ import annotations

import app.first  # isort: skip  # noqa: F401  (comes before all else of the program)

import json
import statistics
import time
from collections.abc import Callable

from app import create_app
from app.alerts.watch import look
from app.disbursements import claim_status, receipt_status
from app.disbursements import engine as money_out
from app.extensions import db
from app.payments.engine import sweep
from app.reconciliation import reading
from app.webhooks import delivery

ROUNDS: dict[str, Callable[[], object]] = {
    "payments": sweep,
    "money out": money_out.sweep,
    "receipts": receipt_status.sweep,
    "claims": claim_status.sweep,
    "statements": reading.sweep,
    "watch": look,
    "deliveries": delivery.prune,
}
TIMES = 7


def main() -> None:
    application, found = create_app(), {}
    for name, work in ROUNDS.items():
        times = []
        for _ in range(TIMES):
            with application.app_context():
                began = time.perf_counter()
                work()
                times.append((time.perf_counter() - began) * 1000)
                db.session.remove()
        found[name] = statistics.median(times)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
