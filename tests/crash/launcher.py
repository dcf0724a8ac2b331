"""Starts a shop again and again: the application is imported once, and every start is a fork.

``python -m tests.crash.launcher`` takes one command a line. ``serve`` makes a process group that
runs what ``python run.py`` runs, and answers with its number. ``sweep`` makes one that does the
engine's round once, as a second worker would, and answers with its exit status. ``["…", [...]]``
is a flask command in words, and the file that it speaks to; its exit status is answered too.
``serve 8001`` and ``work`` make one of several processes: a server on that port, and a worker.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from flask.cli import FlaskGroup

import run

# Everything that an application is put together from is imported here, so that every name is
# there to be wrapped or set.
from app import assembly as _assembly  # noqa: F401
from app import create_app, jobs
from app.disbursements import engine as money_out
from app.monitoring import configure_logging
from app.payments import engine
from tests.crash import hooks

#: The product's patience, in seconds, shortened for the whole program before any of it is used.
#: What is done and in which order stays; only how long is waited before.
PACE: dict[str, object] = {
    "app.payments.schedule.FIRST_ASK_SECONDS": 1,
    "app.payments.schedule.MINIMUM_PAUSE_SECONDS": 1,
    "app.payments.schedule._BACK_OFF_SECONDS": (1, 1, 1, 1, 2, 2, 3, 5, 10, 20),
    "app.payments.schedule.QUIET_SECONDS": 2,
    "app.payments.initiate.FOLLOWER_WAIT_SECONDS": 0.2,
    "app.payments.inbox.HANDLING_SECONDS": 1,
    "app.core.idempotency.LEASE_SECONDS": 1,
    "app.disbursements.approvals.SEND_SECONDS": 0.5,
    "app.disbursements.sending.FIRST_ASK_SECONDS": 1,
    "app.disbursements.sending._AGAIN_SECONDS": (1, 1, 2, 5),
    "app.disbursements.sending.HELD_SECONDS": 1,
    "app.disbursements.asking._BACK_OFF_SECONDS": (1, 1, 1, 2, 3, 5, 10),
    "app.disbursements.asking.MINIMUM_PAUSE_SECONDS": 1,
    "app.disbursements.results.HANDLING_SECONDS": 1,
    "app.disbursements.engine.RESULT_WAIT_SECONDS": 1,
}
LOG_FILE = "CRASH_LOG"
#: How often one of several workers sweeps. A lone shop is swept by its test.
WORKER_SWEEP_SECONDS = 1


def main() -> None:
    quicken()
    hooks.lay()
    print("ready", flush=True)
    for line in sys.stdin:
        _reap()
        match line.strip():
            case "serve":
                print(_fork(_serve), flush=True)
            case "work":
                print(_fork(_work), flush=True)
            case one if one.startswith("serve "):
                print(_fork(partial(_serve, "--port", one.split()[1])), flush=True)
            case "sweep":
                print(os.waitpid(_fork(_sweep), 0)[1], flush=True)
            case order:
                file, arguments = json.loads(order)
                child = _fork(partial(_command, arguments), file)
                print(os.waitpid(child, 0)[1], flush=True)


def quicken() -> None:
    """Set the pace where the product says it, and wherever else it has taken a copy of it.

    Raises AttributeError when the product has no such name any more.
    """
    for path, value in PACE.items():
        home, _, name = path.rpartition(".")
        was = getattr(sys.modules[home], name)
        for module in hooks.app_modules():
            if vars(module).get(name) is was:
                setattr(module, name, value)


def _serve(*options: str) -> None:
    sys.argv = ["run.py", *options]
    run.main()


def _work() -> None:
    jobs.SWEEP_SECONDS = WORKER_SWEEP_SECONDS
    _command(["worker", "--threads", "2"])


def _sweep() -> None:
    configure_logging()
    with create_app().app_context():
        engine.sweep()
        money_out.sweep()


def _command(arguments: list[str]) -> None:
    FlaskGroup(create_app=create_app, load_dotenv=False).main(arguments, prog_name="flask")


def _fork(work: Callable[[], None], output: str | None = None) -> int:
    """Run ``work`` in a process group of its own. What it prints goes to a file, or to the log."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        _speak_to(output, os.environ[LOG_FILE])
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
        print(end, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Never back into the loop above: this process is not the launcher.
        os._exit(status)


def _speak_to(output: str | None, log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    errors = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    printed = errors if output is None else os.open(output, os.O_WRONLY)
    for source, target in ((nothing, 0), (printed, 1), (errors, 2)):
        os.dup2(source, target)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
