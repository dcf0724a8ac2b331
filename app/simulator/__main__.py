"""`python -m app.simulator`: the simulator as a program of its own."""

import argparse
from dataclasses import replace

from app.simulator.server import serve
from app.simulator.settings import SimulatorSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.simulator", description=__doc__)
    try:
        from_environment = SimulatorSettings.from_environment()
    except ValueError as error:
        parser.error(f"the environment: {error}")
    parser.add_argument("--host", default=from_environment.host)
    parser.add_argument("--port", type=int, default=from_environment.port, help="0 takes any free")
    parser.add_argument("--prompt-seconds", type=float, default=from_environment.prompt_seconds)
    parser.add_argument(
        "--new-token-ends-old",
        action="store_true",
        help="asking for a token invalidates the one before it",
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="end when the process that started this one ends",
    )
    arguments = parser.parse_args()
    switches = from_environment.switches
    if arguments.new_token_ends_old:
        switches = replace(switches, new_token_ends_old=True)
    try:
        settings = replace(
            from_environment,
            host=arguments.host,
            port=arguments.port,
            prompt_seconds=arguments.prompt_seconds,
            switches=switches,
        )
    except ValueError as error:
        parser.error(str(error))
    serve(settings, exit_with_parent=arguments.exit_with_parent)


if __name__ == "__main__":
    main()
