"""Prints how fast the shop is, beside bare references in the same run, and keeps it as JSON.

    make bench                          # everything, on both databases
    make bench ARGS="polls --engine sqlite"

It starts what it needs and throws it away. Figures of one machine are to be compared with figures
of the same machine: the ratios travel better. ``docs/performance.md`` says what they mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from scripts.bench import growth, initiations, questions, rates, soak, sockets
from scripts.bench.figures import Figure, line
from scripts.bench.ground import Ground, ground
from scripts.bench.load import LoadMissingError
from tests.services.launch import ServiceFailedError, ServiceMissingError

SECTIONS: dict[str, Callable[[Ground], Iterator[Figure]]] = {
    "callbacks": rates.callbacks,
    "polls": rates.polls,
    "initiations": initiations.initiations,
    "sockets": sockets.sockets,
    "questions": questions.questions,
    "soak": soak.soak,
    "growth": growth.growth,
}
ENGINES = ("sqlite", "postgresql")


def main() -> int:
    options = _options()
    sections = SECTIONS | {"soak": partial(soak.soak, minutes=options.minutes)}
    found: list[Figure] = []
    try:
        for engine in options.engine:
            for name in options.sections or sections:
                with ground(engine) as place:
                    for figure in sections[name](place):
                        print(line(figure), flush=True)
                        found.append(figure)
                _keep(options.keep, found)
    except (ServiceMissingError, ServiceFailedError, LoadMissingError) as problem:
        print(f"The benchmark could not be done: {problem}", file=sys.stderr)
        return 2
    missed = [figure for figure in found if figure.is_met is False]
    print(f"{len(found)} figures, {len(missed)} targets missed; kept in {options.keep}")
    return 1 if missed else 0


def _keep(file: Path, found: list[Figure]) -> None:
    """Write down what is known by now: whoever stops in the middle keeps it."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    kept = {"machine": machine, "figures": [figure.as_json() for figure in found]}
    file.write_text(json.dumps(kept, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "make bench", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--engine", action="append", choices=ENGINES, default=None)
    parser.add_argument("--keep", type=Path, default=Path("bench.json"), metavar="FILE")
    parser.add_argument("--minutes", type=float, default=soak.MINUTES, help="of soak")
    options = parser.parse_args()
    options.engine = options.engine or list(ENGINES)
    return options


if __name__ == "__main__":
    sys.exit(main())
