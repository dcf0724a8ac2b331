"""What docs/webhooks.md says is so: its snippets tell our messages from others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.webhooks.delivery import PAUSES_SECONDS
from app.webhooks.events import CHOICES
from app.webhooks.signing import new_secret, signature

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, OLD = new_secret(), new_secret()
BODY = '{"id":"1","type":"payment.completed","data":{"name":"Wanjikũ \\u2713"}}'
Check = Callable[[str, str, str], bool]


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.S)
    assert found
    return found[1]


def in_python(secret: str, header: str, body: str) -> bool:
    names: dict[str, Callable[[str, str, bytes], bool]] = {}
    exec(snippet("python"), names)
    return names["is_from_lipa"](secret, header, body.encode())


def in_node(secret: str, header: str, body: str) -> bool:
    given = f"...{json.dumps([secret, header])}, Buffer.from({json.dumps(body)})"
    ask = f"console.log(isFromLipa({given}))"
    return _said(["node", "-e", f"{snippet('js')}\n{ask}"])


def in_php(secret: str, header: str, body: str) -> bool:
    given = ", ".join("'" + part.replace("\\", "\\\\") + "'" for part in (secret, header, body))
    ask = f"echo is_from_lipa({given}) ? 'true' : 'false';"
    return _said(["php", "-r", f"{snippet('php')}\n{ask}"])


def _said(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "true"


CHECKS: dict[str, Check] = {"python": in_python, "node": in_node, "php": in_php}
PRESENT = [name for name in CHECKS if name == "python" or shutil.which(name)]


@pytest.mark.parametrize("language", PRESENT)
def test_a_snippet_believes_us_and_nobody_else(language: str) -> None:
    check, moment = CHECKS[language], int(time.time())
    good = signature(BODY, moment, [SECRET])
    assert check(SECRET, good, BODY)
    assert check(SECRET, signature(BODY, moment, [OLD, SECRET]), BODY), "while it is changed"
    assert not check(OLD, good, BODY)
    assert not check(SECRET, good, BODY.replace("completed", "failed"))
    assert not check(SECRET, good.replace(f"t={moment}", f"t={moment + 1}"), BODY)
    assert not check(SECRET, signature(BODY, moment - 400, [SECRET]), BODY), "too old"
    for broken in (
        "",
        "t=,v1=",
        "v1=00",
        f"t={moment}",
        f"t={moment},v1=",
        "t=x,v1=y",
        "t=²,v1=y",
        ",",
    ):
        assert not check(SECRET, broken, BODY), broken


def test_every_type_and_every_pause_is_documented() -> None:
    for kind in CHOICES:
        assert f"`{kind.replace('.*', '.')}" in TEXT, kind
    words = re.search(r"tried again after (.*?): fifteen tries", TEXT)
    assert words
    units = {"s": 1, "min": 60, "h": 3600}
    told = [
        int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", words[1])
    ]
    assert tuple(told) == PAUSES_SECONDS
    assert len(PAUSES_SECONDS) + 1 == 15
