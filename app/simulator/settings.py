"""What the simulator is told before it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SANDBOX_SHORTCODE: Final = "174379"

# The first is Safaricom's: it decodes out of the sample Password of the official documentation.
# The second is a corrupted copy that circulates; a learner who was given it should get on too.
SANDBOX_PASSKEYS: Final = frozenset(
    {
        "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
        "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72e1b1f430820",
    }
)

SIMULATOR_KEY: Final = "simulator-key"
# No secret at all: it opens a toy on this computer, for programs that have no settings of ours.
SIMULATOR_SECRET: Final = "simulator-secret"  # noqa: S105

LONGEST_PROMPT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Times are seconds. Blank credentials mean: only the simulator's own are known."""

    host: str = "127.0.0.1"
    port: int = 5001
    prompt_seconds: float = 60.0
    consumer_key: str = ""
    consumer_secret: str = field(default="", repr=False)
    shortcode: str = ""
    passkey: str = field(default="", repr=False)
    seed: int = 0
    business_name: str = "LIPA DEMO SHOP"
    new_token_ends_old: bool = False
    token_seconds: float = 3600.0
    auto_approve_seconds: float = 2.0
    callback_delay_seconds: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.prompt_seconds <= LONGEST_PROMPT_SECONDS:
            raise ValueError(f"prompt_seconds must be above 0 and at most {LONGEST_PROMPT_SECONDS}")
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be between 0 and 65535")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "SimulatorSettings":
        """Read the shop's own setting names; a blank one is unset.

        Raises ValueError when a number is not one.
        """

        def text(name: str, default: str = "") -> str:
            return environ.get(name, "").strip() or default

        return cls(
            port=int(text("SIMULATOR_PORT", "5001")),
            prompt_seconds=float(text("STK_PROMPT_SECONDS", "60")),
            consumer_key=text("MPESA_CONSUMER_KEY"),
            consumer_secret=text("MPESA_CONSUMER_SECRET"),
            shortcode=text("MPESA_SHORTCODE"),
            passkey=text("MPESA_PASSKEY"),
            seed=int(text("SIMULATOR_SEED", "0")),
        )

    def applications(self) -> dict[str, str]:
        """Consumer key to consumer secret, of everyone who may ask for a token."""
        known = {SIMULATOR_KEY: SIMULATOR_SECRET}
        if self.consumer_key and self.consumer_secret:
            known[self.consumer_key] = self.consumer_secret
        return known

    def merchants(self) -> dict[str, frozenset[str]]:
        """Shortcode to the passkeys that open it."""
        known = {SANDBOX_SHORTCODE: SANDBOX_PASSKEYS}
        if self.shortcode and self.passkey:
            known[self.shortcode] = known.get(self.shortcode, frozenset()) | {self.passkey}
        return known
