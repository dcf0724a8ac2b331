"""What the documents say is so: commands run, settings exist, the drawing has every state."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.cli import FlaskGroup

from app import create_app
from app.config import Settings
from scripts.draw_states import drawn
from tests.support.app import explicit_settings
from tests.support.live_shop import ROOT, LiveShop

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL_SECONDS = 60
#: Without --fail-with-body curl calls any answer a success.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body --max-time 20 "$@"; }\n'


def section(title: str) -> str:
    """The README's text under a heading of the second level."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def markdown_files() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_the_curl_examples_of_the_readme_pay_an_order(shop: LiveShop) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed. Install it: sudo apt-get install curl")
    script = STRICT + "".join(SHELL_BLOCK.findall(section("The API")))
    script = script.replace("http://127.0.0.1:5000", shop.base_url)
    script = script.replace("http://127.0.0.1:5001", shop.simulator_url)
    (shop.folder / ".env").write_text(f"DEMO_PASSWORD={shop.password}\n")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=shop.folder,
        env=shop.env,
        capture_output=True,
        text=True,
        timeout=SHELL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"message":"STK Push sent successfully"' in done.stdout
    assert '"payment_status":"completed","payment_method":"mpesa"' in done.stdout


def test_the_table_of_settings_names_every_setting_and_no_other() -> None:
    told = section("Settings")
    named = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", told)) - {"PUBLIC_URL", "LIPA_ENV_FILE"}
    lower_case_only = {"mpesa_access_token_url", "mpesa_checkout_url", "mpesa_query_check_url"}
    known = {name.upper() for name in set(Settings.model_fields) - lower_case_only}
    assert named | {"PUBLIC_URL"} == known
    for name in ("access_token_url", "checkout_url", "mpesa_query_check_url"):
        assert f"`{name}`" in told


def test_every_flask_command_of_the_readme_exists(tmp_path: Path) -> None:
    commands = set(
        re.findall(r"`\.venv/bin/flask ([a-z0-9_]+(?: (?:create|upgrade|register))?)", README)
    )
    assert commands
    app = create_app(explicit_settings(database_url=f"sqlite:///{tmp_path / 'lipa.db'}"))
    flask = FlaskGroup(create_app=lambda: app)
    for command in sorted(commands):
        done = CliRunner().invoke(flask, [*command.split(), "--help"])
        assert done.exit_code == 0, f"flask {command}: {done.output}"


def test_the_drawn_states_are_those_of_the_code() -> None:
    assert drawn(ARCHITECTURE) == ARCHITECTURE, "run `make draw`"


def test_no_link_between_the_documents_is_broken() -> None:
    broken = []
    for page in markdown_files():
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken
