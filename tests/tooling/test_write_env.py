"""`.env` is made once, with secrets nobody else has, and is never spoiled afterwards."""

from __future__ import annotations

import importlib.util
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.fernet import Fernet
from dotenv import dotenv_values

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "write_env.py"
NAMES = ["SECRET_KEY", "JWT_SECRET_KEY", "SETTINGS_ENCRYPTION_KEY", "DEMO_PASSWORD"]
TEMPLATE = "".join(f"# What {name} is for.\n{name}=\n\n" for name in NAMES) + "PORT=5000\n"


@pytest.fixture
def script() -> ModuleType:
    """The script as a module, although scripts/ is no package."""
    spec = importlib.util.spec_from_file_location("write_env", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A fresh clone as far as the script is concerned."""
    (tmp_path / ".env.example").write_text(TEMPLATE)
    return tmp_path


def complete_env(**changed: str) -> str:
    """An env file in which nothing is missing, but for what is changed."""
    values = dict.fromkeys(NAMES, "chosen") | changed
    return "".join(f"{name}={value}\n" for name, value in values.items())


def test_a_fresh_env_has_a_value_for_every_secret_and_keeps_the_template(
    script: ModuleType, root: Path
) -> None:
    assert script.main(root) == 0
    text = (root / ".env").read_text()
    values = dotenv_values(root / ".env")
    assert all(values[name] for name in NAMES)
    assert re.sub(rf"^({'|'.join(NAMES)})=.+$", r"\1=", text, flags=re.MULTILINE) == TEMPLATE


def test_a_fresh_env_can_be_read_by_its_owner_alone(script: ModuleType, root: Path) -> None:
    script.main(root)
    assert stat.S_IMODE((root / ".env").stat().st_mode) == 0o600


def test_no_two_installations_share_a_secret(script: ModuleType, tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env.example").write_text(TEMPLATE)
        script.main(tmp_path / name)
        values = dotenv_values(tmp_path / name / ".env")
        seen += [values[secret] for secret in NAMES]
    assert len(set(seen)) == len(seen)


def test_the_encryption_key_is_one_that_fernet_takes(script: ModuleType, root: Path) -> None:
    script.main(root)
    key = dotenv_values(root / ".env")["SETTINGS_ENCRYPTION_KEY"]
    assert key is not None
    box = Fernet(key)
    assert box.decrypt(box.encrypt(b"passkey")) == b"passkey"


def test_the_demo_password_is_four_words_and_two_digits(script: ModuleType) -> None:
    assert re.fullmatch(r"(?:[a-z]{4}-){4}\d{2}", script.random_password())


def test_a_complete_env_is_never_touched(script: ModuleType, root: Path) -> None:
    env = root / ".env"
    env.write_text(complete_env())
    before = env.stat()
    assert script.main(root) == 0
    after = env.stat()
    assert env.read_text() == complete_env()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_second_run_changes_nothing(script: ModuleType, root: Path) -> None:
    script.main(root)
    first = (root / ".env").read_bytes()
    script.main(root)
    assert (root / ".env").read_bytes() == first


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SECRET_KEY=", r"SECRET_KEY=(\S+)"),
        ("export SECRET_KEY = ''", r"export SECRET_KEY =(\S+)"),
        ('SECRET_KEY=""  # signs sessions', r"SECRET_KEY=(\S+)  # signs sessions"),
        ("SECRET_KEY= # signs sessions", r"SECRET_KEY=(\S+) # signs sessions"),
    ],
)
def test_a_blank_secret_is_filled_where_it_stands(
    script: ModuleType, root: Path, line: str, expected: str
) -> None:
    env = root / ".env"
    kept = "# caf\xe9\r\nODD=\xff\r\n".encode("latin-1")
    rest = complete_env().replace("SECRET_KEY=chosen\n", "", 1).encode()
    env.write_bytes(kept + line.encode() + b"\r\n" + rest)
    script.main(root)
    text = env.read_bytes()
    match = re.fullmatch(expected.encode(), text[len(kept) : -len(b"\r\n" + rest)])
    assert match is not None
    assert text == kept + match[0] + b"\r\n" + rest
    # The encoding is strange on purpose; the reader only has to find the value.
    values = dotenv_values(env, encoding="latin-1")
    assert values["SECRET_KEY"] == match[1].decode()


def test_an_absent_secret_is_appended_after_everything_else(script: ModuleType, root: Path) -> None:
    env = root / ".env"
    before = complete_env().replace("DEMO_PASSWORD=chosen\n", "") + "LAST=line without an end"
    env.write_text(before)
    script.main(root)
    assert re.fullmatch(re.escape(before) + r"\nDEMO_PASSWORD=\S+\n", env.read_text())


def test_the_last_assignment_decides_as_it_does_for_the_program(
    script: ModuleType, root: Path
) -> None:
    env = root / ".env"
    env.write_text("SECRET_KEY=\n" + complete_env())
    script.main(root)
    assert env.read_text() == "SECRET_KEY=\n" + complete_env()


@pytest.mark.parametrize("value", ["#begins-with-a-hash", "a#b", "'quoted'"])
def test_a_value_that_looks_odd_is_still_a_value(
    script: ModuleType, root: Path, value: str
) -> None:
    (root / ".env").write_text(complete_env(SECRET_KEY=value))
    script.main(root)
    assert (root / ".env").read_text() == complete_env(SECRET_KEY=value)


def test_filling_in_closes_the_file_to_others_and_follows_a_link(
    script: ModuleType, root: Path
) -> None:
    real = root / "elsewhere"
    real.write_text(complete_env(SECRET_KEY=""))
    real.chmod(0o644)
    (root / ".env").symlink_to(real)
    script.main(root)
    assert (root / ".env").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(path.name for path in root.iterdir()) == [".env", ".env.example", "elsewhere"]


def test_the_script_says_which_names_it_filled_and_no_value(
    script: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".env").write_text(complete_env(JWT_SECRET_KEY="", DEMO_PASSWORD=""))
    script.main(root)
    said = capsys.readouterr()
    assert said.err == "Filled in what .env lacked: JWT_SECRET_KEY, DEMO_PASSWORD.\n"
    assert said.out == ""


def test_without_a_template_it_fails_and_says_what_to_do(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main(tmp_path) == 1
    assert "Check that .env.example is there" in capsys.readouterr().err
    assert not (tmp_path / ".env").exists()


def test_it_needs_nothing_that_is_not_in_python_itself() -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(SCRIPT)!r})"]
    subprocess.run(command, check=True, timeout=30)
