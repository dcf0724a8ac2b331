"""What the simulator is told before it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.simulator.pace import checked_speed
from app.simulator.switches import Switches, read_switches

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

B2C_SHORTCODE: Final = "600000"
INITIATOR: Final = "testapi"
# Known to all: it opens the same toy.
INITIATOR_PASSWORD: Final = "Safaricom999!*!"  # noqa: S105

LONGEST_PROMPT_SECONDS: Final = 3600.0
LONGEST_VALIDATION_SECONDS: Final = 60.0
MOST_FLOAT_SHILLINGS: Final = 10**12


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Times are seconds. Blank credentials mean: only the simulator's own are known.

    `utility_float` is what each shop may pay out at first, in shillings.
    """

    host: str = "127.0.0.1"
    port: int = 5001
    prompt_seconds: float = 60.0
    consumer_key: str = ""
    consumer_secret: str = field(default="", repr=False)
    shortcode: str = ""
    passkey: str = field(default="", repr=False)
    b2c_shortcode: str = ""
    b2c_initiator: str = ""
    b2c_password: str = field(default="", repr=False)
    b2c_credential: str = field(default="", repr=False)
    utility_float: int = 1_000_000
    # How long a shop may think about a payment by hand (documented).
    validation_seconds: float = 8.0
    seed: int = 0
    #: Whether a run gives the same ids again whenever it begins with this seed.
    repeats: bool = False
    #: How many simulated seconds pass in a real one.
    speed: float = 1.0
    business_name: str = "LIPA DEMO SHOP"
    switches: Switches = Switches()
    token_seconds: float = 3600.0
    auto_approve_seconds: float = 2.0
    callback_delay_seconds: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.prompt_seconds <= LONGEST_PROMPT_SECONDS:
            raise ValueError(f"prompt_seconds must be above 0 and at most {LONGEST_PROMPT_SECONDS}")
        if not 0 < self.validation_seconds <= LONGEST_VALIDATION_SECONDS:
            most = LONGEST_VALIDATION_SECONDS
            raise ValueError(f"validation_seconds must be above 0 and at most {most}")
        checked_speed(self.speed)
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be between 0 and 65535")
        if not 0 <= self.utility_float <= MOST_FLOAT_SHILLINGS:
            raise ValueError(f"utility_float must be between 0 and {MOST_FLOAT_SHILLINGS}")

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
            b2c_shortcode=text("MPESA_B2C_SHORTCODE"),
            b2c_initiator=text("MPESA_B2C_INITIATOR_NAME"),
            b2c_password=text("MPESA_B2C_INITIATOR_PASSWORD"),
            b2c_credential=text("MPESA_B2C_SECURITY_CREDENTIAL"),
            utility_float=int(text("SIMULATOR_UTILITY_FLOAT", "1000000")),
            validation_seconds=float(text("SIMULATOR_VALIDATION_SECONDS", "8")),
            seed=int(text("SIMULATOR_SEED", "0")),
            repeats=bool(text("SIMULATOR_SEED")),
            speed=float(text("SIMULATOR_SPEED", "1")),
            switches=read_switches(text("SIMULATOR_SWITCHES")),
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

    def initiators(self) -> dict[str, frozenset[str]]:
        """API operators, and the passwords by which each is known."""
        known = {INITIATOR: frozenset({INITIATOR_PASSWORD})}
        if self.b2c_password:
            name = self.b2c_initiator or INITIATOR
            known[name] = known.get(name, frozenset()) | {self.b2c_password}
        return known

    def secrets(self) -> frozenset[str]:
        """Everything in these settings that must not be shown."""
        passkeys = frozenset[str]().union(*self.merchants().values())
        passwords = frozenset[str]().union(*self.initiators().values())
        return passkeys | passwords | {*self.applications().values(), self.b2c_credential}

    def ready_credential(self) -> tuple[str, str]:
        """An operator, and the credential that he was given ready-made; blank when he was not."""
        return self.b2c_initiator or INITIATOR, self.b2c_credential

    def operated_shortcodes(self) -> frozenset[str]:
        """The shops in whose name the operators may act."""
        own = {self.shortcode, self.b2c_shortcode} - {""}
        return frozenset({SANDBOX_SHORTCODE, B2C_SHORTCODE}) | own
