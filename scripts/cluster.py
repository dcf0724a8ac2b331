"""The whole of a cluster on this machine, to look at and to try: ``make run-cluster``.

nginx in front, two web processes on greenlets, two workers, PostgreSQL and Redis of its own, and
the simulator. All of it lies in a folder that is thrown away at the end. ``docs/scaling.md`` says
how the same is set up for good.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.services.launch import ServiceFailedError, ServiceMissingError
from tests.support.cluster import Cluster, cluster


def main() -> int:
    options = _options()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    print(
        "Starting PostgreSQL, Redis, the simulator, web processes, workers and nginx…", flush=True
    )
    try:
        with cluster(webs=options.webs, workers=options.workers, port=options.port) as found:
            _greet(found)
            told.wait()
            print("Stopping…", flush=True)
    except (ServiceMissingError, ServiceFailedError) as problem:
        print(f"The cluster could not be started: {problem}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=5000, help="nginx listens here (5000)")
    parser.add_argument("--webs", type=int, default=2, help="how many web processes (2)")
    parser.add_argument("--workers", type=int, default=2, help="how many workers (2)")
    return parser.parse_args()


def _greet(found: Cluster) -> None:
    lines = ["", f"  The shop is open:     {found.base_url}"]
    lines.append(f"  The virtual phone:    {found.base_url}/simulator/")
    lines += [f"  {web.name}: http://127.0.0.1:{web.env['PORT']}" for web in found.webs]
    lines += [
        f"  PostgreSQL, Redis:    {found.env['DATABASE_URL']}, {found.env['REDIS_URL']}",
        f"  Logs:                 {found.folder}",
        "",
        f"  Sign in as  admin@example.com    {found.password}",
        f"  or as       shopper@example.com  {found.password}",
        "",
        "  Stop with Ctrl-C.",
        "",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
