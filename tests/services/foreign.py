"""Two Daraja clients that others wrote, in an environment of their own beside this one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.services.launch import ServiceMissingError

PACKAGES = ("daraja-v3[async]==0.2.1", "mpesakit==2.2.0")
INSTALL_SECONDS = 90
# Of what the installer says, the end tells what went wrong.
MOST_OF_A_REASON = 200


def install(cache: Path) -> Path:
    """The Python of an environment that has the clients; made once, and kept in `cache`.

    Raises ServiceMissingError where the package index cannot be reached.
    """
    name = hashlib.sha256(" ".join((sys.version, *PACKAGES)).encode()).hexdigest()[:16]
    folder = cache / f"foreign-clients-{name}"
    python, done = folder / "bin" / "python", folder / "complete"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "foreign-clients.lock", "w") as lock:
        # Every worker of a parallel run comes by here, and one of them installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            try:
                _run("-m", "uv", "venv", "--quiet", "--clear", str(folder))
                _run("-m", "uv", "pip", "install", "--quiet", "--python", str(python), *PACKAGES)
            except ServiceMissingError:
                # pip, though slower, may be set to an index that uv does not know.
                _run("-m", "pip", "--python", str(python), "install", "--quiet", *PACKAGES)
            done.touch()
    return python


def _run(*arguments: str) -> None:
    command = (sys.executable, *arguments)
    # The environment's own settings of pip stay: they may name the index that can be reached.
    quiet = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "1"}
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS, env=quiet
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()[-MOST_OF_A_REASON:]
        raise ServiceMissingError(
            f"The foreign clients ({', '.join(PACKAGES)}) cannot be installed from the package "
            f"index: {said!r}. Let pip reach an index."
        ) from error
