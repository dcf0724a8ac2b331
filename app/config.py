"""Settings, typed, under every spelling that people know them by.

The environment (upper case before lower case) comes before ``.env``; a blank value is unset.
M-Pesa settings that neither of them sets may come from the database, see app/settings.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from limits import parse as parse_limit
from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
Network = IPv4Network | IPv6Network

#: The callers that Safaricom publishes for its callbacks, and two more seen in one SDK only.
SAFARICOM_ADDRESSES = (
    "196.201.214.200,196.201.214.206,196.201.213.114,196.201.214.207,"
    "196.201.214.208,196.201.213.44,196.201.212.127,196.201.212.138,"
    "196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69"
)
#: What is shorter is no secret.
SHORTEST_SECRET = 16
LOOPBACK = "127.0.0.0/8,::1"
#: What PUBLIC_URL says where the ngrok agent knows the address.
AUTO = "auto"
#: Published by Safaricom for everybody's tests; it protects nothing.
SANDBOX_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
SANDBOX_SHORTCODE = "174379"


class Environment(StrEnum):
    SIMULATOR = "simulator"
    SANDBOX = "sandbox"
    PRODUCTION = "production"


class WebServer(StrEnum):
    """What carries the requests of one web process."""

    THREADS = "threads"
    GEVENT = "gevent"


DARAJA_ROOTS = {
    Environment.SANDBOX: "https://sandbox.safaricom.co.ke",
    Environment.PRODUCTION: "https://api.safaricom.co.ke",
}


def _also(upper: str, *others: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(upper, *others))


class Settings(BaseSettings):
    """What the environment says. Names are those of the environment, in lower case."""

    model_config = SettingsConfigDict(
        env_file=os.environ.get("LIPA_ENV_FILE", ROOT / ".env"),
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        # What a setting holds may be a secret, so an error never quotes it.
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: int = 5000
    shop_name: str = "Lipa Duka"
    #: More lines in the log and nothing else; it opens no debugger.
    debug: bool = False
    allowed_hosts: str | None = None

    secret_key: str | None = None
    jwt_secret_key: str | None = None
    settings_encryption_key: str | None = None
    demo_password: str | None = None

    database_url: str | None = None
    redis_url: str | None = None
    db_name: str | None = None
    db_user: str | None = None
    db_password: str | None = None
    db_host: str = "localhost"
    db_port: int = 5432

    mpesa_environment: Environment = Environment.SIMULATOR
    mpesa_base_url: str | None = None
    mpesa_timeout_seconds: float = Field(default=10, gt=0, le=60)
    mpesa_max_amount: int | None = Field(default=None, ge=1)
    mpesa_consumer_key: str | None = _also("MPESA_CONSUMER_KEY", "consumer_key")
    mpesa_consumer_secret: str | None = _also("MPESA_CONSUMER_SECRET", "consumer_secret")
    mpesa_shortcode: str | None = _also("MPESA_SHORTCODE", "shortcode")
    mpesa_passkey: str | None = _also("MPESA_PASSKEY", "pass_key")
    mpesa_callback_url: str | None = _also("MPESA_CALLBACK_URL", "c2b_callback")
    mpesa_access_token_url: str | None = _also("access_token_url")
    mpesa_checkout_url: str | None = _also("checkout_url")
    mpesa_query_check_url: str | None = _also("mpesa_query_check_url")
    mpesa_callback_allowlist: str | None = None
    mpesa_b2c_shortcode: str | None = None
    mpesa_b2c_initiator_name: str | None = None
    mpesa_b2c_initiator_password: str | None = None
    mpesa_b2c_security_credential: str | None = None
    mpesa_b2c_certificate: str | None = None
    #: v3 carries our own id, so that Daraja itself refuses to pay twice; v1 does not.
    mpesa_b2c_version: Literal["v1", "v3"] = "v3"
    mpesa_b2c_command: Literal["BusinessPayment", "SalaryPayment", "PromotionPayment"] = (
        "BusinessPayment"
    )
    mpesa_b2c_result_url: str | None = None
    mpesa_b2c_timeout_url: str | None = None
    #: v1 of C2B tells a hash of the payer's number, v2 a mask.
    c2b_version: Literal["v1", "v2"] = "v2"
    #: What M-Pesa does with a payment while the shop does not answer.
    c2b_response_type: Literal["Completed", "Cancelled"] = "Completed"
    #: Money is better taken and placed than refused, so refusing is to be asked for.
    c2b_validation: Literal["accept_all", "refuse_unknown"] = "accept_all"

    #: One line of JSON an event, or lines for people; production speaks JSON unless told else.
    log_format: Literal["json", "text"] | None = None
    #: Whoever has it may read /metrics from elsewhere than this machine.
    metrics_token: str | None = Field(default=None, min_length=SHORTEST_SECRET)
    #: An alert is opened when the paying account holds fewer shillings than this.
    float_alert_below: int | None = Field(default=None, ge=1)

    public_url: str | None = None
    ngrok_api_url: str = "http://127.0.0.1:4040"
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    open_checkout: bool | None = None
    phone_strict_dialects: bool = True
    stk_prompt_seconds: int = Field(default=60, ge=1, le=600)
    #: So long after a prompt that no phone showed the page's own is sent once more; 0 for never.
    ask_again_seconds: int = Field(default=30, ge=0, le=600)
    simulator_port: int = 5001
    simulator_embedded: bool = True
    embedded_worker: bool = True
    #: Threads work on any database; greenlets carry more sockets, and need a database server.
    web_server: WebServer = WebServer.THREADS
    order_hold_minutes: int = Field(default=30, ge=1, le=10_080)

    rate_limit_initiate: str = "100/minute"
    rate_limit_status: str = "1000/minute"
    rate_limit_sign_in: str = "10/minute"
    mpesa_query_limit: str | None = None
    payout_approval_above: int | None = Field(default=None, ge=0)
    payout_max_amount: int = Field(default=250_000, ge=10)
    approval_hours: int = Field(default=24, ge=1, le=720)
    supplier_cooling_hours: int = Field(default=24, ge=0, le=720)
    refund_reversal_hours: int = Field(default=24, ge=0, le=720)
    refund_auto_approve_limit: int | None = Field(default=None, ge=0)
    #: So many whole shillings may an operator send back at a time.
    operator_refund_limit: int = Field(default=5000, ge=0)
    require_second_factor: bool | None = None
    #: Where uploaded statements wait until they are read; every worker must reach it.
    upload_folder: str | None = None
    max_sockets: int = Field(default=300, ge=1, le=5000)

    @field_validator("debug", mode="before")
    @classmethod
    def _only_a_plain_yes(cls, value: object) -> bool:
        # Other programs read DEBUG too and know more words for it; theirs say nothing to us.
        return str(value).strip().lower() in ("1", "on", "true", "yes")

    @field_validator("allowed_hosts")
    @classmethod
    def _names_and_no_addresses(cls, value: str | None) -> str | None:
        if "/" in (value or ""):
            raise ValueError("takes names such as shop.example, with commas between them")
        return value

    @field_validator("mpesa_base_url", "public_url", "ngrok_api_url")
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @field_validator("public_url")
    @classmethod
    def _auto_in_any_case(cls, value: str | None) -> str | None:
        return AUTO if value and value.strip().lower() == AUTO else value

    @field_validator("ngrok_api_url")
    @classmethod
    def _an_agent_s_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "http" or not parts.hostname or parts.path or parts.port == 0:
            raise ValueError("takes what ngrok prints as its Web Interface: http://127.0.0.1:4040")
        return value

    @field_validator("mpesa_query_limit")
    @classmethod
    def _readable_limit(cls, value: str | None) -> str | None:
        if value:
            parse_limit(value)
        return value

    @field_validator("mpesa_callback_allowlist")
    @classmethod
    def _readable_networks(cls, value: str | None) -> str | None:
        networks_of(value or "")
        return value

    @model_validator(mode="after")
    def _production_needs_its_secrets(self) -> Self:
        if self.is_production:
            names = ("secret_key", "jwt_secret_key", "settings_encryption_key")
            given = ((name, getattr(self, name) or "") for name in names)
            missing = [name.upper() for name, value in given if len(value) < SHORTEST_SECRET]
            if missing:
                raise ValueError(
                    f"production needs {', '.join(missing)}: set each to a long random value of "
                    f"{SHORTEST_SECRET} characters at least"
                )
        return self

    @model_validator(mode="after")
    def _greenlets_need_a_server(self) -> Self:
        if self.web_server is WebServer.GEVENT and self.sqlalchemy_url.startswith("sqlite"):
            raise ValueError(
                "WEB_SERVER=gevent does not go with SQLite, whose locks stop every greenlet of "
                "the process: set DATABASE_URL to a PostgreSQL, or leave WEB_SERVER out"
            )
        return self

    @model_validator(mode="after")
    def _production_is_not_debugged(self) -> Self:
        if self.is_production and self.debug:
            raise ValueError("production does not run with DEBUG: set it to false")
        return self

    @model_validator(mode="after")
    def _production_has_an_address_that_stays(self) -> Self:
        if self.is_production and self.follows_tunnel:
            raise ValueError(
                "production does not take PUBLIC_URL=auto, since callbacks are lost whenever the "
                "tunnel changes: set the shop's own https:// address"
            )
        return self

    @model_validator(mode="after")
    def _production_hears_over_https(self) -> Self:
        results = ("mpesa_callback_url", "mpesa_b2c_result_url", "mpesa_b2c_timeout_url")
        for name in ("public_url", *results):
            value = getattr(self, name)
            if self.is_production and value and not value.startswith("https://"):
                raise ValueError(f"production needs an https:// address in {name.upper()}")
        return self

    @property
    def is_production(self) -> bool:
        return self.mpesa_environment is Environment.PRODUCTION

    @property
    def is_simulator(self) -> bool:
        return self.mpesa_environment is Environment.SIMULATOR

    @property
    def sqlalchemy_url(self) -> str:
        """Return the database's address, for psycopg 3 where it is PostgreSQL."""
        if self.database_url:
            return _with_driver(self.database_url)
        if self.db_name:
            account = f"{self.db_user or ''}:{self.db_password or ''}@" if self.db_user else ""
            return f"postgresql+psycopg://{account}{self.db_host}:{self.db_port}/{self.db_name}"
        return f"sqlite:///{ROOT / 'instance' / 'lipa.db'}"

    @property
    def follows_tunnel(self) -> bool:
        """Return whether the ngrok agent on this machine is asked for the public address."""
        return self.public_url == AUTO

    @property
    def local_root(self) -> str:
        """Return the root by which programs of this machine reach the shop."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_root(self) -> str | None:
        """Return the root that Daraja's callbacks reach; None where the tunnel tells it."""
        return None if self.follows_tunnel else self.public_url or self.local_root

    @property
    def daraja_root(self) -> str:
        if self.mpesa_base_url:
            return self.mpesa_base_url
        return DARAJA_ROOTS.get(self.mpesa_environment) or f"http://127.0.0.1:{self.simulator_port}"

    @property
    def simulator_variables(self) -> dict[str, str]:
        """Return what the simulator's process reads from its environment."""
        wanted = {
            "SIMULATOR_PORT": self.simulator_port,
            "STK_PROMPT_SECONDS": self.stk_prompt_seconds,
            "MPESA_CONSUMER_KEY": self.mpesa_consumer_key,
            "MPESA_CONSUMER_SECRET": self.mpesa_consumer_secret,
            "MPESA_SHORTCODE": self.mpesa_shortcode,
            "MPESA_PASSKEY": self.mpesa_passkey,
            "MPESA_B2C_SHORTCODE": self.mpesa_b2c_shortcode,
            "MPESA_B2C_INITIATOR_NAME": self.mpesa_b2c_initiator_name,
            "MPESA_B2C_INITIATOR_PASSWORD": self.mpesa_b2c_initiator_password,
            "MPESA_B2C_SECURITY_CREDENTIAL": self.mpesa_b2c_security_credential,
        }
        return {name: str(value) for name, value in wanted.items() if value is not None}

    @property
    def callback_networks(self) -> tuple[Network, ...]:
        """Return whose callbacks are proven by origin; loopback too outside production."""
        default = SAFARICOM_ADDRESSES if self.is_production else f"{SAFARICOM_ADDRESSES},{LOOPBACK}"
        return networks_of(self.mpesa_callback_allowlist or default)

    @property
    def refund_limit_shillings(self) -> int | None:
        """Return up to how much a refund needs nobody's yes; None means any amount."""
        if self.refund_auto_approve_limit is None:
            return 0 if self.is_production else None
        return self.refund_auto_approve_limit

    @property
    def wants_second_factor(self) -> bool:
        """Return whether who moves money must have signed in with a second factor."""
        chosen = self.require_second_factor
        return self.is_production if chosen is None else chosen

    @property
    def payout_limit_shillings(self) -> int | None:
        """Return up to how much a payout needs one admin only; None means any amount."""
        if self.payout_approval_above is None:
            return 0 if self.is_production else None
        return self.payout_approval_above

    @property
    def logs_json(self) -> bool:
        """Return whether the log has one JSON object a line."""
        return self.is_production if self.log_format is None else self.log_format == "json"

    @property
    def checkout_is_open(self) -> bool:
        """Return whether callers who are not signed in may use the STK push dialect."""
        return not self.is_production if self.open_checkout is None else self.open_checkout

    @property
    def query_limit(self) -> str | None:
        """Return how often Daraja may be asked how a prompt ended, or None for no limit."""
        sandbox = self.mpesa_environment is Environment.SANDBOX
        return self.mpesa_query_limit or ("1 per 12 second" if sandbox else None)

    @property
    def max_amount_shillings(self) -> int:
        """Return the most that one payment may be: 70,000 in tests, 250,000 in production."""
        return self.mpesa_max_amount or (250_000 if self.is_production else 70_000)


def read_settings(**given: Any) -> Settings:
    """Read the settings, or end the program saying in words which of them cannot be right."""
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        sys.exit(f"Lipa cannot start with these settings:\n{problems}")


@lru_cache(maxsize=16)
def networks_of(text: str) -> tuple[Network, ...]:
    """Read a comma-separated list of addresses and networks. Raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def _with_driver(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
