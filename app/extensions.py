"""The Flask extensions, made once and bound to an application in create_app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_socketio import SocketIO
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

#: Names for constraints, so that migrations can change them on both databases.
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)
# Flask-SQLAlchemy makes Model at run time; the type checker is shown the plain base instead.
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def _caller_address() -> str:
    return request.remote_addr or "unknown"


migrate = Migrate(render_as_batch=True)
jwt = JWTManager()
limiter = Limiter(key_func=_caller_address, headers_enabled=False)
socketio = SocketIO()
