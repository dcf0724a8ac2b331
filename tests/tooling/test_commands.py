"""The commands of the Makefile say what they are and do not wake what they need not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTER_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "ARGS"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> str:
    """What a make command prints; raises when it fails."""
    # The tests themselves run under make, whose own arguments are none of this one's.
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    done = subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def targets() -> list[str]:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    return phony[1].split()


def test_help_lists_every_target_with_a_sentence() -> None:
    listed = re.findall(r"^  make (\S+) +(\S.*)$", make("help"), re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(targets())


def test_make_alone_gives_help_and_starts_nothing() -> None:
    assert make() == make("help")


def test_the_promised_commands_exist() -> None:
    assert {"help", "run", "test", "flask", "lock", "lint", "clean"} <= set(targets())


def test_run_prepares_before_it_serves_and_becomes_the_server() -> None:
    steps = make("--dry-run", "run")
    assert re.search(r"write_env.*flask prepare.*exec \S+python run\.py", steps, re.DOTALL)


def test_arguments_pass_through_to_flask_and_pytest() -> None:
    assert "-m flask users create --admin" in make("-n", "flask", "ARGS=users create --admin")
    assert "-k 'settle and late'" in make("-n", "test", "ARGS=-k 'settle and late'")


def test_clean_leaves_the_settings_and_the_data() -> None:
    removed = make("-n", "clean")
    assert ".venv" in removed
    assert not re.search(r"\.env\b|instance", removed)
