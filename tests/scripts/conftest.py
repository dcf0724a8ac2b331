"""One running shop for the shell scripts, and a terminal to start them in as a person does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.live_shop import ROOT, LiveShop, live_shop

SCRIPT_SECONDS = 200
#: Longer than a case of the callback script takes, so that no prompt ends by itself in one.
PROMPT_SECONDS = 45


@dataclass(frozen=True)
class Said:
    """What a script printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Terminal:
    """A shell in some other folder than the project's, with a shop's settings in it."""

    shop: LiveShop
    extra_env: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, python: str = sys.executable) -> Said:
        done = subprocess.run(
            [python, str(ROOT / script), *arguments],
            cwd=self.shop.folder,
            env=self.shop.env | self.extra_env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SCRIPT_SECONDS,
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop(stk_prompt_seconds=PROMPT_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def terminal(shop: LiveShop) -> Terminal:
    return Terminal(shop)
