"""What MpesaService needs to know about one shortcode at Daraja."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


class MissingSettings(Exception):
    """Missing required M-Pesa settings."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(f"Missing required M-Pesa settings: {', '.join(names)}")


@dataclass(frozen=True)
class MpesaSettings:
    """Credentials and addresses. Secrets are left out of its repr."""

    consumer_key: str | None = field(repr=False)
    consumer_secret: str | None = field(repr=False)
    shortcode: str | None
    passkey: str | None = field(repr=False)
    callback_url: str
    token_url: str
    push_url: str
    query_url: str
    read_timeout_seconds: float
    connect_timeout_seconds: float = 3.05

    def require(self) -> None:
        """Raise MissingSettings naming every credential that is not set."""
        missing = [
            f"MPESA_{item.name.upper()}"
            for item in fields(self)
            if item.name in ("consumer_key", "consumer_secret", "shortcode", "passkey")
            and not getattr(self, item.name)
        ]
        if missing:
            raise MissingSettings(missing)
