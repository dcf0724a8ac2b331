"""Setting up costs nothing when nothing changed, and ends in plain words when it cannot go on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A Python that writes down what it was asked for. It has uv or not, and pip
# works or not, as the two files beside it say.
STUB = """#!/bin/sh
echo "$*" >> calls
case "$*" in
    "-m uv --version") [ -e has-uv ] ;;
    *scripts/uv.txt*) [ -e uv-can-be-had ] && touch has-uv ;;
    "-m uv pip install"*) [ ! -e uv-is-broken ] ;;
    "-m pip install"*) [ ! -e pip-is-broken ] ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The set-up scripts with a stub in place of the environment's Python."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "requirements.txt").write_text("one==1\ntwo==2\n")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "pip").touch()
    (binaries / "python").write_text(STUB)
    (binaries / "python").chmod(0o755)
    return tmp_path


def run(
    clone: Path, *command: str, path: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the clone; no package of the machine is touched."""
    settings = {"PATH": path or os.defpath, "INSTALL_PACKAGES": "no"} | environment
    return subprocess.run(
        ["/bin/sh", *command],
        cwd=clone,
        env=settings,
        capture_output=True,
        text=True,
        timeout=30,
    )


def install(clone: Path) -> subprocess.CompletedProcess[str]:
    return run(clone, "scripts/install.sh", "requirements.txt")


def calls(clone: Path) -> list[str]:
    """What was asked of Python since the last look."""
    record = clone / "calls"
    lines = record.read_text().splitlines() if record.exists() else []
    record.unlink(missing_ok=True)
    return lines


def test_packages_are_installed_by_uv_with_their_hashes_checked(clone: Path) -> None:
    (clone / "uv-can-be-had").touch()
    done = install(clone)
    assert done.returncode == 0
    assert "Installing the packages of requirements.txt, once" in done.stderr
    asked = calls(clone)
    assert "--require-hashes -r scripts/uv.txt" in asked[1]
    assert asked[2].startswith("-m uv pip install")
    assert "--require-hashes -r requirements.txt" in asked[2]


def test_nothing_is_asked_or_said_when_the_lock_has_not_changed(clone: Path) -> None:
    install(clone)
    calls(clone)
    again = install(clone)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert calls(clone) == []


def test_a_changed_lock_installs_again(clone: Path) -> None:
    install(clone)
    calls(clone)
    (clone / "requirements.txt").write_text("one==1\ntwo==3\n")
    assert install(clone).returncode == 0
    assert calls(clone) != []


@pytest.mark.parametrize("trouble", ["uv-cannot-be-had", "uv-is-broken"])
def test_pip_takes_over_where_uv_does_not_serve(clone: Path, trouble: str) -> None:
    (clone / trouble).touch()
    if trouble == "uv-is-broken":
        (clone / "has-uv").touch()
    done = install(clone)
    assert done.returncode == 0
    assert "pip" in done.stderr
    last = calls(clone)[-1]
    assert last.startswith("-m pip install")
    assert last.endswith("--require-hashes -r requirements.txt")


def test_a_failed_installation_says_what_to_do_and_is_tried_again(clone: Path) -> None:
    (clone / "pip-is-broken").touch()
    failed = install(clone)
    assert failed.returncode == 1
    assert "run the same make command again" in failed.stderr
    (clone / "pip-is-broken").unlink()
    assert install(clone).returncode == 0


def only(folder: Path, **programs: str) -> str:
    """A PATH with the given shell programs and nothing else but the shell's own."""
    folder.mkdir()
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_without_a_python_that_is_new_enough_it_says_which_one_it_needs(
    clone: Path, tmp_path: Path
) -> None:
    shutil.rmtree(clone / ".venv")
    path = only(tmp_path / "path", python3="exit 1")
    failed = run(clone, "scripts/make_venv.sh", path=path)
    assert failed.returncode == 1
    assert "Lipa needs Python 3.11 or newer" in failed.stderr
    assert "sudo apt-get install python3 python3-venv" in failed.stderr


def test_a_python_without_its_venv_package_names_the_package_to_install(
    clone: Path, tmp_path: Path
) -> None:
    shutil.rmtree(clone / ".venv")
    body = 'case "$*" in *ensurepip*) exit 1;; *-venv*) echo python3.11-venv;; esac'
    path = only(tmp_path / "path", **{"python3": body})
    failed = run(clone, "scripts/make_venv.sh", path=path)
    assert failed.returncode == 1
    assert "sudo apt-get install python3.11-venv" in failed.stderr


def test_a_shim_that_stands_for_nothing_is_passed_over(clone: Path, tmp_path: Path) -> None:
    shutil.rmtree(clone / ".venv")
    good = 'case "$*" in --version) echo Python 3.12.9;; esac'
    path = only(tmp_path / "path", **{"python3.11": "exit 127", "python3.12": good})
    made = run(clone, "scripts/make_venv.sh", path=path)
    assert made.returncode == 0
    assert "Python 3.12.9" in made.stderr


def test_installing_services_never_fails_where_it_may_not_install(
    clone: Path, tmp_path: Path
) -> None:
    done = run(clone, "scripts/services.sh", path=only(tmp_path / "path"))
    assert done.returncode == 0


def test_apt_is_never_asked_for_a_password(clone: Path, tmp_path: Path) -> None:
    programs = {"apt-get": "touch asked", "id": "echo 1000", "sudo": 'echo "$*" >> asked; exit 1'}
    path = only(tmp_path / "path", **programs)
    done = run(clone, "scripts/apt.sh", "redis-server", path=path, INSTALL_PACKAGES="yes")
    assert done.returncode == 1
    assert not (clone / "asked").exists() or (clone / "asked").read_text() == "-n true\n"
