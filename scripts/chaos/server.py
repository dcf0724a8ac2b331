"""`run.py` with a hasty engine, for chaos.py: `python -m scripts.chaos.server PACE [worker …]`.

At pace 1 it is the product as it is. At pace 10 the engine waits a tenth of its pauses, so that a
short run calms down in seconds. The constants are changed before anything that uses them is
imported; the product itself has no switch for this, because no shop should. With `worker` and
what else `flask worker` takes, it is one of several workers and no server.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NoReturn


def hasten(pace: float) -> None:
    """Divide the engine's pauses by `pace`. Raises SystemExit when one of them has moved away."""
    from app.payments import schedule

    _divide(schedule, "FIRST_ASK_SECONDS", pace)
    _divide(schedule, "MINIMUM_PAUSE_SECONDS", pace)
    _divide(schedule, "QUIET_SECONDS", pace)
    _divide(schedule, "_BACK_OFF_SECONDS", pace)
    _divide(schedule, "_SECOND_THOUGHTS_SECONDS", pace)
    from app import jobs
    from app.core import idempotency
    from app.payments import inbox

    _divide(inbox, "STRAY_SECONDS", pace)
    _divide(jobs, "SWEEP_SECONDS", pace)
    _divide(idempotency, "LEASE_SECONDS", pace)
    _hasten_money_out(pace)


def _hasten_money_out(pace: float) -> None:
    from app.disbursements import approvals, asking, engine, funds, results, sending

    _divide(approvals, "SEND_SECONDS", pace)
    _divide(asking, "_BACK_OFF_SECONDS", pace)
    _divide(asking, "MINIMUM_PAUSE_SECONDS", pace)
    _divide(engine, "RESULT_WAIT_SECONDS", pace)
    _divide(funds, "ASK_EVERY_SECONDS", pace)
    _divide(results, "HANDLING_SECONDS", pace)
    for name in ("FIRST_ASK_SECONDS", "_AGAIN_SECONDS", "HELD_SECONDS"):
        _divide(sending, name, pace)


def _divide(module: ModuleType, name: str, pace: float) -> None:
    value = getattr(module, name, None)
    if value is None:
        sys.exit(f"{module.__name__} has no {name} any more: teach scripts/chaos/server.py.")
    shorter = tuple(part / pace for part in value) if isinstance(value, tuple) else value / pace
    setattr(module, name, shorter)


def main() -> None:
    pace = float(sys.argv.pop(1))
    works = sys.argv[1:2] == ["worker"]
    if not works:
        # Before anything of the program that would take a lock or a socket.
        import app.first  # noqa: F401
    if pace != 1:
        hasten(pace)
    if works:
        _work()
    import run

    run.main()


def _work() -> NoReturn:
    from flask.cli import FlaskGroup

    from app import create_app

    group = FlaskGroup(create_app=create_app, load_dotenv=False)
    sys.exit(group.main(sys.argv[1:], prog_name="flask"))


if __name__ == "__main__":
    main()
