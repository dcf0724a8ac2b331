"""Socket.IO: news of payments, for those who may hear them.

The page's second string is a poll of local state, so everything here may fail without harm.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any
from uuid import UUID

from flask import Flask, request, session
from flask_jwt_extended import decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_socketio import join_room
from jwt.exceptions import PyJWTError

from app.accounts import sign_ins
from app.accounts.guard import current_person, current_sign_in
from app.accounts.models import Person
from app.accounts.roles import May
from app.accounts.tokens import sign_in_id
from app.config import Settings
from app.core.errors import LipaError
from app.disbursements.machine import PAYOUT_UPDATE
from app.extensions import db, socketio
from app.orders import service as orders
from app.payments.settle import PAYMENT_UPDATE

logger = logging.getLogger(__name__)

#: The room of everybody who may see the back office.
STAFF = "staff"
#: Tells the back office that something is new there, and no word about what.
SHOP_CHANGED = "shop_changed"
#: It is told no more often than this. Whoever hears it looks so much later, so that what happened
#: meanwhile is seen too.
SHOP_CHANGED_PAUSE_SECONDS = 1.0
#: So often it is looked, before news goes out, whether each socket's sign-in is still open.
LOOK_AGAIN_SECONDS = 1.0
_sockets = threading.BoundedSemaphore(1)
_last_told = float("-inf")
_last_looked = float("-inf")
#: By a socket's own id: whose sign-in it came with, and whether it hears the back office's news.
_listening: dict[str, tuple[UUID, bool]] = {}


def install(app: Flask, settings: Settings) -> None:
    """Bind Socket.IO to the application: WebSocket only, at most MAX_SOCKETS of them."""
    global _sockets
    _sockets = threading.BoundedSemaphore(settings.max_sockets)
    # Flask-SocketIO keeps the queue of an application made before in this process; ours may differ.
    socketio.server_options.pop("client_manager", None)
    socketio.init_app(
        app,
        async_mode="threading",
        transports=["websocket"],
        # None lets in pages of our own origin only; an empty list would check nothing.
        cors_allowed_origins=None,
        message_queue=settings.redis_url,
        max_http_buffer_size=16 * 1024,
        logger=False,
        engineio_logger=False,
    )


def deliver(topic: str, body: dict[str, Any]) -> None:
    """Tell an announcement of the outbox to those who may hear it."""
    let_go()
    if topic == PAYOUT_UPDATE:
        socketio.emit(PAYOUT_UPDATE, body["update"], to=STAFF)
    elif topic == PAYMENT_UPDATE:
        update, person_uuid = body["update"], body["person_uuid"]
        rooms = [order_room(update["order_id"])]
        if person_uuid:
            rooms.append(person_room(person_uuid))
        socketio.emit(PAYMENT_UPDATE, update, to=rooms)
    else:
        raise ValueError(f"nobody here speaks of {topic}")
    _tell_staff()


def _tell_staff() -> None:
    """Say that something has changed, unless that was said a moment ago."""
    global _last_told
    if time.monotonic() - _last_told >= SHOP_CHANGED_PAUSE_SECONDS:
        _last_told = time.monotonic()
        socketio.emit(SHOP_CHANGED, {}, to=STAFF)


def let_go() -> None:
    """Disconnect whoever was signed out or suspended, or has lost the role, since they came in.

    A browser that may hear something else connects anew by itself.
    """
    global _last_looked
    present = list(_listening.items())
    if not present or time.monotonic() - _last_looked < LOOK_AGAIN_SECONDS:
        return
    _last_looked = time.monotonic()
    staff = sign_ins.open_among({uuid for _, (uuid, _) in present})
    for sid, (uuid, hears_staff) in present:
        if uuid not in staff or (hears_staff and not staff[uuid]):
            _listening.pop(sid, None)
            socketio.server.disconnect(sid)


def person_room(uuid: str) -> str:
    return f"person:{uuid}"


def order_room(uuid: str) -> str:
    return f"order:{uuid}"


@socketio.on("connect")
def _connect(auth: Any = None) -> bool | None:
    """Let a socket in if there is room; one with a sign-in hears its own payments at once."""
    if not _sockets.acquire(blocking=False):
        return False
    try:
        person = _person_of(auth)
        if person is not None:
            _remember(hears_staff=person.may(May.SEE))
            join_room(person_room(str(person.uuid)))
            if person.may(May.SEE):
                join_room(STAFF)
    except BaseException:
        _sockets.release()
        raise
    finally:
        db.session.remove()
    return None


@socketio.on("disconnect")
def _disconnect(*_: object) -> None:
    _listening.pop(_sid(), None)
    try:
        _sockets.release()
    except ValueError:
        # A socket that was refused for want of room never took a place.
        logger.debug("a refused socket left")


@socketio.on("subscribe")
def _subscribe(message: Any, auth: Any = None) -> dict[str, bool]:
    """Join the room of an order that the caller can show to be theirs."""
    ref = message.get("order_id") if isinstance(message, dict) else None
    token = message.get("token") if isinstance(message, dict) else None
    try:
        person = _person_of({"token": token} if token else None)
        if person is None or ref is None:
            return {"ok": False}
        order = orders.find_order(ref, person)
        _remember(hears_staff=_listening.get(_sid(), (None, False))[1])
        join_room(order_room(str(order.uuid)))
    except LipaError:
        return {"ok": False}
    finally:
        db.session.remove()
    return {"ok": True}


def _person_of(auth: Any) -> Person | None:
    """Find who is behind a socket: by a token it sends or has sent, else by the cookie.

    The sign-in is looked up each time, so that one which has ended opens nothing any more.
    """
    token = auth.get("token") if isinstance(auth, dict) else None
    if token:
        session["sign_in"] = _sign_in_of(str(token))
    if "sign_in" not in session:
        return current_person() if _from_our_page() else None
    return sign_ins.person_of(session["sign_in"]) if session["sign_in"] else None


def _remember(*, hears_staff: bool) -> None:
    """Keep which sign-in this socket has shown last, before it joins a room."""
    found = current_sign_in() if "sign_in" not in session else None
    uuid = found.uuid if found else session.get("sign_in")
    if uuid is not None:
        _listening[_sid()] = (uuid, hears_staff)


def _sid() -> str:
    # Flask-SocketIO gives the request of an event its socket's id.
    return str(request.sid)  # type: ignore[attr-defined]


def _sign_in_of(token: str) -> UUID | None:
    try:
        return sign_in_id(decode_token(token))
    except (JWTExtendedException, PyJWTError, UnicodeError):
        return None


def _from_our_page() -> bool:
    # Flask-SocketIO refuses foreign origins already; this is the belt to those braces.
    origin = request.headers.get("Origin")
    return origin is None or origin.split("://")[-1] == request.host
