"""Write `.env` with fresh random secrets, or fill in those that an existing one lacks.

Standard library only, because it runs before anything is installed. Says on
stderr which names it filled in, and never what it put there.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWNER_ONLY = 0o600

# Nothing, or an empty pair of quotes, and perhaps a comment set off by a space.
BLANK = re.compile(r"""[ \t]*(?:''|"")?(?P<comment>[ \t]+#.*|)[ \t]*""")


def random_token() -> str:
    """256 random bits, for signing sessions and JSON Web Tokens."""
    return secrets.token_urlsafe(32)


def random_fernet_key() -> str:
    """A Fernet key: the URL-safe base64 of 32 bytes, as `cryptography` documents it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


def random_password() -> str:
    """About 56 random bits that a person can read aloud, such as `timu-bako-lane-sofi-42`."""
    words = ("".join(_syllable() + _syllable()) for _ in range(4))
    return "-".join(words) + f"-{secrets.randbelow(100):02d}"


def _syllable() -> str:
    return secrets.choice("bdfgjklmnprstvw") + secrets.choice("aeiou")


SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": random_token,
    "JWT_SECRET_KEY": random_token,
    "SETTINGS_ENCRYPTION_KEY": random_fernet_key,
    "DEMO_PASSWORD": random_password,
}


def fill(text: str) -> tuple[str, list[str]]:
    """Give every secret without a value a random one; all other text stays as it is.

    Returns the new text and the names that were filled in.
    """
    filled = []
    for name, make in SECRETS.items():
        assignment = _last_assignment(name, text)
        if assignment is None:
            text = _with_newline(text) + f"{name}={make()}\n"
        elif blank := BLANK.fullmatch(assignment["value"]):
            start, end = assignment.span("value")
            text = text[:start] + make() + blank["comment"] + text[end:]
        else:
            continue
        filled.append(name)
    return text, filled


def _last_assignment(name: str, text: str) -> re.Match[str] | None:
    """The line that decides the value: in an env file the last one wins."""
    pattern = rf"^[ \t]*(?:export[ \t]+)?{name}[ \t]*=(?P<value>[^\r\n]*)"
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    return matches[-1] if matches else None


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def create(env: Path, template: Path) -> list[str]:
    """Make `.env`, readable by its owner alone from its first byte.

    Raises FileExistsError when it exists, FileNotFoundError without a template.
    """
    text, filled = fill(_read(template))
    descriptor = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with open(descriptor, "wb") as file:
        file.write(_encode(text))
    return filled


def complete(env: Path) -> list[str]:
    """Fill in what an existing `.env` lacks; it is not touched when it lacks nothing."""
    text, filled = fill(_read(env))
    if filled:
        _replace(env.resolve(), _encode(text))
    return filled


def _replace(path: Path, content: bytes) -> None:
    """Swap the file's content at once, so that a crash leaves the old or the new one whole."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".env-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _read(path: Path) -> str:
    # Bytes that are not UTF-8 and foreign line ends go through unchanged.
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def main(root: Path = ROOT) -> int:
    """Returns the exit status: 0 when `.env` is there and complete."""
    env, template = root / ".env", root / ".env.example"
    try:
        if not env.exists():
            create(env, template)
            print("Wrote .env with fresh random secrets, readable by you alone.", file=sys.stderr)
        elif filled := complete(env):
            print(f"Filled in what .env lacked: {', '.join(filled)}.", file=sys.stderr)
    except OSError as error:
        print(f"Cannot write the settings file: {error}", file=sys.stderr)
        print("Check that .env.example is there and this folder is yours.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
