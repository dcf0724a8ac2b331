"""Whose phone is it: Kenyan names, the same for the same number every time."""

import hashlib
from typing import Final

_GIVEN: Final = (
    "JANE", "JOHN", "MARY", "PETER", "GRACE", "JAMES", "FAITH", "DAVID", "ESTHER", "SAMUEL",
    "MERCY", "DANIEL", "ALICE", "JOSEPH", "LUCY", "BRIAN", "AISHA", "HASSAN", "BEATRICE", "KEVIN",
)  # fmt: skip
_FAMILY: Final = (
    "WANJIKU", "OTIENO", "KAMAU", "ACHIENG", "MWANGI", "CHEBET", "KIPROTICH", "NJERI", "OMONDI",
    "MUTUA", "WAMBUI", "KARIUKI", "ATIENO", "MAINA", "NYAMBURA", "BARASA", "KOECH", "ABDI",
    "WAFULA", "MUTHONI",
)  # fmt: skip


def name_of(msisdn: str, seed: int) -> str:
    number = int.from_bytes(hashlib.sha256(f"{seed}:{msisdn}".encode()).digest()[:8])
    number, given = divmod(number, len(_GIVEN))
    return f"{_GIVEN[given]} {_FAMILY[number % len(_FAMILY)]}"
