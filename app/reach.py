"""Going out and coming back by a public address: does it lead to this shop?"""

from __future__ import annotations

import json
from itertools import islice

import requests

from app.core.texts import said
from app.core.unit_of_work import end_reads

#: An answer that travels through the internet, and back to this machine and out again.
REACH_SECONDS = 5
_HEALTH_PIECES = 64


def why_unreached(root: str) -> str | None:
    """Go out and come back by a public address; return what happened when it was not us."""
    end_reads()
    with requests.Session() as session:
        # A proxy of the machine is no road that Daraja takes.
        session.trust_env = False
        try:
            answer = session.get(
                f"{root}/api/health", timeout=REACH_SECONDS, allow_redirects=False, stream=True
            )
            health = json.loads(b"".join(islice(answer.iter_content(1024), _HEALTH_PIECES)))
        except requests.RequestException as error:
            return type(error).__name__
        except (ValueError, RecursionError):
            health = None
    is_ours = isinstance(health, dict) and {"status", "environment", "problems"} <= set(health)
    if is_ours:
        return None
    return said("another program answers, or none (HTTP {status})", status=answer.status_code)
