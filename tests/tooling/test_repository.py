"""What is committed holds no secret, names no machine, and locks what it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from app.config import SANDBOX_PASSKEY
from app.simulator.settings import SANDBOX_PASSKEYS

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.txt", "requirements-dev.txt", "scripts/uv.txt"]

# A folder of somebody's own, on Linux or macOS.
HOME_PATH = re.compile(rb"/(?:home|Users)/[A-Za-z]|/root/\w")
#: A passkey is 64 hexadecimal digits, and so is nothing else that a program says.
PASSKEY_LIKE = re.compile(r"\b[0-9a-f]{64}\b")
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s")


@cache
def git(*arguments: str) -> str:
    """What git prints; skips the test where the project is not a git checkout."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git does not know these files: {error}")
    return done.stdout


def tracked_files() -> list[Path]:
    """What is committed or about to be, without what was deleted."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def pins(lock: str) -> dict[str, set[str]]:
    """Each package of a lock file and its versions, more than one where markers differ."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), re.M):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize(
    "name", [".env", ".env.production", "instance/lipa.db", ".venv/bin/python", "x/__pycache__/y"]
)
def test_git_ignores_what_belongs_to_one_installation(name: str) -> None:
    git("rev-parse", "--git-dir")
    ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, timeout=30)
    assert ignored.returncode == 0


def test_git_keeps_the_template_of_the_settings() -> None:
    git("rev-parse", "--git-dir")
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", ".env.example"], cwd=ROOT, timeout=30
    )
    assert ignored.returncode == 1


def test_s3_68_no_credential_of_safaricom_s_is_written_into_the_program() -> None:
    """S3-68: but for what Safaricom publishes for everybody, which its tests and ours need."""
    published = {SANDBOX_PASSKEY, next(iter(SANDBOX_PASSKEYS - {SANDBOX_PASSKEY}))}
    sources = [path for path in tracked_files() if path.suffix in (".py", ".html", ".js", ".sh")]
    shipped = [path for path in sources if "tests" not in path.parts]
    assert shipped
    found = {
        word
        for path in shipped
        if "vendor" not in path.parts
        for word in PASSKEY_LIKE.findall(path.read_text(encoding="utf-8"))
    }
    assert found <= published


def test_s3_01_the_program_says_which_python_it_needs_and_makes_its_own_environment() -> None:
    """S3-01: newer than the documents' 3.8, for what 3.8 ran on has published holes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    readme = (ROOT / "README.md").read_text()
    assert "You need Python 3.11 or newer" in readme
    assert "it makes a virtual environment" in readme
    assert sys.prefix != sys.base_prefix


def test_s3_04_the_readme_leads_from_an_account_to_an_app_to_its_keys() -> None:
    """S3-04."""
    readme = (ROOT / "README.md").read_text()
    steps = ("developer.safaricom.co.ke", "sign up", "Create app", "consumer key", "MPESA_CONSUMER")
    _, _, sandbox = readme.partition("For Safaricom's sandbox you need an account")
    places = [sandbox.find(step) for step in steps]
    assert places == sorted(places)
    assert -1 not in places


@pytest.mark.parametrize("pattern", [HOME_PATH, PRIVATE_KEY], ids=["home path", "private key"])
def test_no_file_holds_a_home_path_or_a_private_key(pattern: re.Pattern[bytes]) -> None:
    found = [str(path) for path in tracked_files() if pattern.search(path.read_bytes())]
    assert found == []


def test_shell_scripts_stay_small() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in ROOT.glob("scripts/*.sh")}
    assert {name: length for name, length in lengths.items() if length > 40} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=\S)", "\n".join(re.sub(r"^#.*\n", "", text, flags=re.M).split("\n")))
    without = [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert without == []
    assert not re.search(r"https?://|file:|--find-links|index-url", text)


def test_testing_changes_no_package_that_the_shop_runs_with() -> None:
    run, test = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: test.get(name) for name in run} == run


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[<>=!~\[ ]", line)[0] for line in project["project"]["dependencies"]}
    assert wanted <= set(pins("requirements.txt"))


def test_the_shell_scripts_for_shops_are_not_taken_for_tests(tmp_path: Path) -> None:
    for name in ("test_mpesa_payment.py", "test_mpesa_callback.py"):
        (tmp_path / name).write_text("raise SystemExit('collected')\n")
    (tmp_path / "test_other.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "test_other.py::test_it" in run.stdout
    assert "test_mpesa" not in run.stdout
