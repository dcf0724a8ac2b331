"""Letters whose answer is read: the question whether a payment may be made."""

import json
import time
from dataclasses import dataclass
from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

from app.simulator.courier import CONNECT_TIMEOUT_SECONDS, Letter
from app.simulator.recording import Answered
from app.simulator.traffic import Traffic

LARGEST_ANSWER_BYTES: Final = 64 * 1024
_LONGEST_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the shop says: `code` "0" lets the payment be made; None means that it said nothing.

    `own_id` is the shop's own name for the payment, which its confirmation repeats.
    """

    code: str | None
    own_id: str = ""


SILENCE: Final = Verdict(None)


def ask(letter: Letter, traffic: Traffic, seconds: float) -> Verdict:
    """Put a question and await the answer for so long; never raises for what the shop does."""
    posting, answered, verdict = letter.posting(), Answered(), SILENCE
    try:
        answered = _post(letter, seconds)
        if answered.status is not None and 200 <= answered.status < 300:
            verdict = _read(answered.body)
    except (requests.RequestException, HTTPError, ValueError, OSError) as error:
        why = f"{letter.says}: not answered ({type(error).__name__})"
    else:
        said = "no answer that can be read" if verdict.code is None else verdict.code
        why = f"{letter.says}: {said}"
    posting.record(traffic, why, answered)
    return verdict


def _post(letter: Letter, seconds: float) -> Answered:
    """The answer, as far as it fits; raises TimeoutError when it takes longer, however slowly."""
    deadline = time.monotonic() + seconds
    with requests.Session() as session:
        # A proxy of the developer's environment does not belong between two local programs.
        session.trust_env = False
        with session.post(
            letter.url,
            data=letter.body,
            headers=letter.all_headers(),
            timeout=(min(CONNECT_TIMEOUT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = b""
            while len(body) <= LARGEST_ANSWER_BYTES:
                if time.monotonic() > deadline:
                    raise TimeoutError
                piece = response.raw.read1(LARGEST_ANSWER_BYTES, decode_content=True)
                if not piece:
                    kind = response.headers.get("Content-Type", "")
                    return Answered(response.status_code, kind, body)
                body += piece
            raise ValueError("The answer is too long.")


def _read(body: bytes) -> Verdict:
    """Read `{"ResultCode": …}`, a number or a string; anything else says nothing."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return SILENCE
    if not isinstance(said, dict):
        return SILENCE
    code, own_id = said.get("ResultCode"), said.get("ThirdPartyTransID")
    if isinstance(code, bool) or not isinstance(code, str | int) or not str(code).strip():
        return SILENCE
    named = isinstance(own_id, str | int) and not isinstance(own_id, bool)
    return Verdict(str(code).strip()[:_LONGEST_ID], str(own_id)[:_LONGEST_ID] if named else "")
