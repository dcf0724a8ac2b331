"""The names that this shop answers to, where ALLOWED_HOSTS says that it answers to no others."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from flask import Flask, current_app, request

from app.config import Settings
from app.core.errors import ValidationError
from app.core.texts import marked
from app.settings.service import settings
from app.tunnel import NoTunnel, tunnel

ANY = "*"
#: Whoever restarts processes or shares requests out among them calls each by its own address.
_FOR_BALANCERS = frozenset({"health_api.live", "health_api.ready"})


class UnknownHost(ValidationError):
    message = marked(
        "This shop does not answer under that name. Its names are set as ALLOWED_HOSTS."
    )


def guard(app: Flask) -> None:
    """Refuse requests whose Host header names none of the shop's own names."""
    app.before_request(_check)


def own_names(configured: Settings) -> frozenset[str]:
    """Return what ALLOWED_HOSTS allows, and PUBLIC_URL's own name; empty where any name will do.

    ``.shop.example`` stands for that name and every name below it, ``*`` for any.
    """
    listed = {_name(part) for part in (configured.allowed_hosts or "").split(",")} - {""}
    if not listed or ANY in listed:
        return frozenset()
    public = _name(urlsplit(configured.public_url or "").netloc)
    return frozenset(listed | {public} - {""})


def answers_to(host: str, names: frozenset[str]) -> bool:
    """Tell whether a Host header is one of the names. Ports and capitals do not matter."""
    name = _name(host)
    below = {name[place:] for place, mark in enumerate(name) if mark == "."}
    return bool(name) and not names.isdisjoint({name, f".{name}"} | below)


def _check() -> None:
    if request.endpoint in _FOR_BALANCERS:
        return
    names = own_names(settings())
    if not names or answers_to(request.host, names) or _is_for_provider() or _is_tunnels():
        return
    raise UnknownHost


def _is_tunnels() -> bool:
    """With PUBLIC_URL=auto the tunnel's name is ours too, whichever it is by now."""
    if not settings().follows_tunnel:
        return False
    try:
        name = _name(urlsplit(tunnel().root()).netloc)
    except NoTunnel:
        return False
    return answers_to(request.host, frozenset({name}))


def _is_for_provider() -> bool:
    """Daraja calls the address that it was given. Its callbacks are believed by proofs and never
    by a name, and they must be kept whatever name they came by.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "who_may_enter", None) == "provider"


def _name(host: str) -> str:
    """Return the bare name of ``host:port``, or nothing where there is none."""
    with suppress(ValueError):
        return (urlsplit(f"//{host.strip()}").hostname or "").rstrip(".")
    return ""
