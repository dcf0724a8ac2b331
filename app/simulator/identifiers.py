"""Identifiers in the shapes recorded in Daraja traffic of 2024 to 2026."""

import hashlib
import secrets
import string
import threading
import time
import uuid
from datetime import datetime
from typing import Final

from app.simulator.clock import NAIROBI

_RECEIPT_ALPHABET: Final = string.digits + string.ascii_uppercase
_RECEIPT_SPACE: Final = 36**7
# Coprime with 36**7, so that multiplying by it shuffles the space without ever colliding.
_RECEIPT_STEP: Final = 22_801_763_489
_NO_TRANSACTION: Final = "0" * 7
_TICKS_PER_SECOND: Final = 100_000
_MILLISECONDS_OF_DAY: Final = 86_400_000
# Coprime with a day's milliseconds, so that no id of a day comes twice.
_CHECKOUT_STEP: Final = 1_009


class Identifiers:
    """Makes identifiers that are unique in this process, and across restarts for receipts.

    A shop's database outlives the simulator, and holds receipts to be unique: that is why they
    are drawn from the time of day, unless somebody wants a run that can be repeated.
    """

    def __init__(self, seed: int, *, repeats: bool = False) -> None:
        self._lock = threading.Lock()
        self.begin(seed, repeats=repeats)
        self._last_tick = 0
        self._last_checkout_ms = 0
        # Ten a second: a busy simulator that is restarted does not come upon its own ids again.
        self._counter = int(time.time() * 10) % 1_000_000_000

    def begin(self, seed: int, *, repeats: bool) -> None:
        """Begin anew. One that `repeats` gives the same ids again, in the order of the requests.

        But for the day in them, which is today, and which receipts are read by.
        """
        with self._lock:
            self._nodes = [_node(f"{seed}:{n}") for n in range(3)]
            self._series = _Series(seed) if repeats else None

    def request_id(self) -> str:
        """`MerchantRequestID` and `requestId`: a gateway node with a growing counter behind it.

        Seen in recorded traffic: four hex groups of 4-4-4-12, and 4 to 9 digits glued on.
        """
        with self._lock:
            if self._series is not None:
                number = self._series.request()
            else:
                self._counter = number = self._counter + 1
            return f"{self._nodes[number % 3]}{number}"

    def reference(self) -> str:
        """A UUID, by which standing orders go (documented); as unique as a request's id."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.request_id()))

    def checkout_request_id(self, now: datetime, msisdn: str) -> str:
        """`ws_CO_`, Nairobi time to the millisecond, last nine digits of the phone (recorded)."""
        with self._lock:
            if self._series is not None:
                ms = int(_midnight(now).timestamp()) * 1000 + self._series.millisecond()
            else:
                ms = max(int(now.timestamp() * 1000), self._last_checkout_ms + 1)
                self._last_checkout_ms = ms
        moment = datetime.fromtimestamp(ms // 1000, NAIROBI)
        return f"ws_CO_{moment:%d%m%Y%H%M%S}{ms % 1000:03d}{msisdn[-9:]}"

    def conversation_id(self, now: datetime) -> str:
        """`AG_`, the day in Nairobi, and 20 hex digits, of which newer ones begin with 2010.

        Seen in recorded traffic. A shop's database may outlive this process: so they are random.
        """
        with self._lock:
            digits = secrets.token_hex(8) if self._series is None else self._series.digits()
        return f"AG_{now.astimezone(NAIROBI):%Y%m%d}_2010{digits}"

    def receipt(self, now: datetime) -> str:
        """Ten characters: year letter (U is 2026), month letter, day, then seven.

        The date scheme is inferred from nine recorded payloads, which all fit it.
        """
        local = now.astimezone(NAIROBI)
        with self._lock:
            if self._series is not None:
                of_day = self._series.receipt()
            else:
                tick = int(local.timestamp() * _TICKS_PER_SECOND)
                self._last_tick = tick = max(tick, self._last_tick + 1)
                of_day = tick - int(_midnight(now).timestamp()) * _TICKS_PER_SECOND
        return _date_prefix(local) + _base36(of_day * _RECEIPT_STEP % _RECEIPT_SPACE, 7)


class _Series:
    """What takes the place of time and chance in ids that can be repeated."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        first = int(_digest(f"{seed}:first"), 16)
        self._request = 10_000_000 + first % 90_000_000
        self._receipt = first % _RECEIPT_SPACE
        self._millisecond = first % _MILLISECONDS_OF_DAY
        self._conversation = 0

    def request(self) -> int:
        self._request += 1
        return self._request

    def receipt(self) -> int:
        self._receipt += 1
        return self._receipt

    def millisecond(self) -> int:
        self._millisecond = (self._millisecond + _CHECKOUT_STEP) % _MILLISECONDS_OF_DAY
        return self._millisecond

    def digits(self) -> str:
        self._conversation += 1
        return _digest(f"{self._seed}:{self._conversation}")[:16]


def placeholder_receipt(now: datetime) -> str:
    """What stands for a receipt where no transaction came about: its date and seven zeros.

    Seen in recorded traffic; the same all day, so it is no key.
    """
    return _date_prefix(now.astimezone(NAIROBI)) + _NO_TRANSACTION


def is_placeholder(receipt: str) -> bool:
    return receipt.endswith(_NO_TRANSACTION)


def _date_prefix(day: datetime) -> str:
    letters = string.ascii_uppercase
    year = letters[(day.year - 2017 + letters.index("L")) % 26]
    of_month = str(day.day) if day.day < 10 else letters[day.day - 10]
    return year + letters[day.month - 1] + of_month


def _midnight(now: datetime) -> datetime:
    return now.astimezone(NAIROBI).replace(hour=0, minute=0, second=0, microsecond=0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _base36(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = _RECEIPT_ALPHABET[digit] + digits
    return digits


def _node(seed: str) -> str:
    digits = _digest(seed)
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:24]}"
