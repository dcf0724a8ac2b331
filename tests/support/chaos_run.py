"""A short chaos run, as a test makes one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Far more than it takes, on a machine that does much else.
RUN_SECONDS = 300
STOP_SECONDS = 60
#: For pytest's own clock, which would kill the run and leave its servers behind.
TEST_SECONDS = RUN_SECONDS + 2 * STOP_SECONDS


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Make a run; one that takes too long is told to stop, so that it takes its servers with it."""
    command = [sys.executable, "-m", "scripts.chaos", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            told, errors = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            told, errors = process.communicate(timeout=STOP_SECONDS)
    return subprocess.CompletedProcess(command, process.returncode, told, errors)
