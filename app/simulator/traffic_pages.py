"""What was said on the wire in the last hour, as a page."""

from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for

from app.simulator.clock import NAIROBI
from app.simulator.curl import curl, indented
from app.simulator.simulator import current_simulator
from app.simulator.traffic import Kept, Said, Sieve
from app.simulator.traffic_api import SieveRefused, read_sieve

ROWS_A_PAGE: Final = 50
_FIELDS: Final = ("direction", "path", "status", "phone", "id", "text")

traffic_pages = Blueprint("traffic_pages", __name__, url_prefix="/simulator/traffic")


@traffic_pages.get("")
def listed() -> tuple[str, int]:
    return _page(None)


@traffic_pages.get("/<int:number>")
def one(number: int) -> tuple[str, int]:
    """The list with one exchange beside it."""
    return _page(number)


@traffic_pages.get("/rows")
def rows() -> str:
    """The part of the page that changes by itself."""
    try:
        sieve = read_sieve(request.args)
    except SieveRefused:
        sieve = Sieve()
    chosen = request.args.get("chosen", "")
    return render_template(
        "simulator/_exchanges.html",
        **_listed(sieve),
        chosen=int(chosen) if _short(chosen) else None,
    )


def _page(number: int | None) -> tuple[str, int]:
    notice, sieve = None, Sieve()
    try:
        sieve = read_sieve(request.args)
    except SieveRefused as refused:
        notice = f"Nothing was sifted: {refused}."
    kept = current_simulator().traffic.numbered(number) if number is not None else None
    if number is not None and kept is None:
        notice = (
            "This exchange is not kept any more: it is older than an hour, or there are too many."
        )
    page = render_template(
        "simulator/traffic.html",
        **_listed(sieve),
        values={name: request.args.get(name, "")[:200] for name in _FIELDS},
        notice=notice,
        chosen=number,
        exchange=_shown(kept) if kept else None,
    )
    return page, 404 if number is not None and kept is None else 400 if notice else 200


def _listed(sieve: Sieve) -> dict[str, Any]:
    found = current_simulator().traffic.find(sieve, ROWS_A_PAGE + 1)
    given = {name: request.args[name] for name in _FIELDS if request.args.get(name)}
    older = (
        given | {"before": str(found[ROWS_A_PAGE - 1].number)} if len(found) > ROWS_A_PAGE else {}
    )
    return {
        "rows": [_row(kept) for kept in found[:ROWS_A_PAGE]],
        "query": _query(given),
        "live_query": _query(
            given | {n: request.args[n] for n in ("before",) if n in request.args}
        ),
        "older": url_for("traffic_pages.listed") + _query(older) if older else None,
    }


def _query(arguments: dict[str, str]) -> str:
    return f"?{urlencode(arguments)}" if arguments else ""


def _row(kept: Kept) -> dict[str, Any]:
    exchange = kept.exchange
    status = exchange.status
    return {
        **kept.as_json(),
        "clock": exchange.at.astimezone(NAIROBI).strftime("%H:%M:%S"),
        "kind": "none" if status is None else f"{status // 100}xx",
        "failed": status is None or status >= 400,
    }


def _shown(kept: Kept) -> dict[str, Any]:
    exchange = kept.exchange
    return {
        **_row(kept),
        "url": exchange.url,
        "request": _side(exchange.request),
        "answer": _side(exchange.answer),
        "is_cut": kept.is_cut,
        "curl": curl(kept),
    }


def _side(said: Said) -> dict[str, Any]:
    return {"headers": said.headers, "body": indented(said.body)}


def _short(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12
