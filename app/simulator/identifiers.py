"""Identifiers in the shapes recorded in Daraja traffic of 2024 to 2026."""

import hashlib
import string
import threading
import time
from datetime import datetime
from typing import Final

from app.simulator.clock import NAIROBI

_RECEIPT_ALPHABET: Final = string.digits + string.ascii_uppercase
_RECEIPT_SPACE: Final = 36**7
# Coprime with 36**7, so that multiplying by it shuffles the space without ever colliding.
_RECEIPT_STEP: Final = 22_801_763_489
_TICKS_PER_SECOND: Final = 100_000


class Identifiers:
    """Makes identifiers that are unique in this process, and across restarts for receipts.

    A shop's database outlives the simulator, and holds receipts to be unique: that is why they
    are drawn from the time of day rather than from a seeded generator.
    """

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._last_tick = 0
        self._last_checkout_ms = 0
        self._counter = int(time.time()) % 100_000_000
        self._nodes = [_node(f"{seed}:{n}") for n in range(3)]

    def request_id(self) -> str:
        """`MerchantRequestID` and `requestId`: a gateway node with a growing counter behind it.

        Seen in recorded traffic: four hex groups of 4-4-4-12, and 4 to 9 digits glued on.
        """
        with self._lock:
            self._counter += 1
            return f"{self._nodes[self._counter % 3]}{self._counter}"

    def checkout_request_id(self, now: datetime, msisdn: str) -> str:
        """`ws_CO_`, Nairobi time to the millisecond, last nine digits of the phone (recorded)."""
        with self._lock:
            ms = max(int(now.timestamp() * 1000), self._last_checkout_ms + 1)
            self._last_checkout_ms = ms
        moment = datetime.fromtimestamp(ms // 1000, NAIROBI)
        return f"ws_CO_{moment:%d%m%Y%H%M%S}{ms % 1000:03d}{msisdn[-9:]}"

    def receipt(self, now: datetime) -> str:
        """Ten characters: year letter (U is 2026), month letter, day, then seven.

        The date scheme is inferred from nine recorded payloads, which all fit it.
        """
        local = now.astimezone(NAIROBI)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._lock:
            tick = int(local.timestamp() * _TICKS_PER_SECOND)
            self._last_tick = tick = max(tick, self._last_tick + 1)
        of_day = tick - int(midnight.timestamp()) * _TICKS_PER_SECOND
        return _date_prefix(local) + _base36(of_day * _RECEIPT_STEP % _RECEIPT_SPACE, 7)


def _date_prefix(day: datetime) -> str:
    letters = string.ascii_uppercase
    year = letters[(day.year - 2017 + letters.index("L")) % 26]
    of_month = str(day.day) if day.day < 10 else letters[day.day - 10]
    return year + letters[day.month - 1] + of_month


def _base36(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = _RECEIPT_ALPHABET[digit] + digits
    return digits


def _node(seed: str) -> str:
    digits = hashlib.sha256(seed.encode()).hexdigest()
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:24]}"
