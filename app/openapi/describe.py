"""What a route says about itself, and what the rooms of the document are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from pydantic.json_schema import WithJsonSchema

from app.core.errors import PayloadTooLarge, RateLimited
from app.openapi.fields import Answer
from app.openapi.refusals import Refusal

View = TypeVar("View", bound=Callable[..., Any])
#: Whom a door lets in where its guard alone does not say it: strangers too, with or without a
#: token; or holders of a refresh token.
Entry = Literal["optional", "refresh"]
#: What stands for a name in an address, and an example of it.
PATH_NAMES: dict[str, tuple[str, str | int]] = {
    "order_id": ("An order's number or its UUID.", "7"),
    "payment_id": ("A payment's integer, UUID or TXN name.", "12"),
    "transaction_id": ("A payment's integer, UUID or TXN name.", "TXN20261121090000K7Q"),
    "product_id": ("A product's id.", 1),
    "method_id": ("The id of a number that was kept.", 3),
}


@dataclass(frozen=True)
class Operation:
    """What no decorator of a route can tell: its words, its bodies, its own refusals.

    ``answers`` are the types of the bodies by status, None where there is no body. ``pages`` is
    how many rows a page of a list has unless told otherwise. ``names`` describes what stands in
    the address as PATH_NAMES does, which knows the usual ones.
    """

    summary: str
    answers: Mapping[int, Any]
    about: str = ""
    body: Any = None
    refusals: tuple[Refusal, ...] = ()
    pages: int | None = None
    entry: Entry | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, str | int]] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True)
class Chapter:
    """The routes of a blueprint, or of several that share a title.

    ``statuses`` are its words for how a payment stands. ``words`` are the beginnings that its
    messages may have, by code; ``plain`` are the codes whose messages it leaves as they are.
    """

    title: str
    about: str
    statuses: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()


CHAPTERS: dict[str, Chapter] = {}


def chapter(*blueprints: str, title: str, about: str, **more: Any) -> None:
    """Put the routes of these blueprints under one title; see Chapter."""
    for name in blueprints:
        CHAPTERS[name] = Chapter(title, about, **more)


def documented(
    summary: str,
    answers: Any,
    *,
    refusals: Iterable[Refusal] = (),
    **more: Any,
) -> Callable[[View], View]:
    """Document a route; see Operation. A type alone is what it answers with 200.

    Who may enter, the rate limit, the Idempotency-Key and what comes with them are read from the
    route's other decorators, paths from the map of addresses.
    """
    by_status = answers if isinstance(answers, dict) else {200: answers}
    operation = Operation(summary, by_status, refusals=tuple(refusals), **more)

    def mark(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return mark


class Acknowledged(Answer):
    """The body is kept. This says nothing about what will be made of it."""

    ResultCode: int = Field(examples=[0])
    ResultDesc: str = Field(examples=["Accepted"])


_CALLBACK_EXAMPLE = {
    "Body": {
        "stkCallback": {
            "MerchantRequestID": "29115-34620561-1",
            "CheckoutRequestID": "ws_CO_211120260900005712345678",
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {
                "Item": [
                    {"Name": "Amount", "Value": 1500},
                    {"Name": "MpesaReceiptNumber", "Value": "UKL4XX00XX"},
                    {"Name": "TransactionDate", "Value": 20261121120021},
                    {"Name": "PhoneNumber", "Value": 254712345678},
                ]
            },
        }
    }
}
#: Any body is kept, so that no callback is lost for its shape.
_CallbackBody = Annotated[
    Any,
    WithJsonSchema({"description": "Daraja's STK callback.", "examples": [_CALLBACK_EXAMPLE]}),
]


def documented_callback(
    refusals: tuple[Refusal, ...] = (PayloadTooLarge, RateLimited),
) -> Callable[[View], View]:
    """Document an address that Daraja posts to."""
    return documented(
        "Hear from Daraja how a prompt ended",
        Acknowledged,
        about="Whatever comes is kept and answered at once; it changes something "
        "only with proof: the attempt's own token in the address, and a caller on the allow-list.",
        body=_CallbackBody,
        query={"token": "The attempt's secret, as it stood in the address given to Daraja."},
        refusals=refusals,
    )
