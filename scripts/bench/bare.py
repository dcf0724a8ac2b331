"""What is compared with: Flask with one insert and commit, with one indexed read, and with an
insert, a prompt sent to Daraja and an update.

It runs in the same server, with the same pool and on the same database server as the shop, and
does nothing that a shop has to do: no door, no proof, no books.
"""

from __future__ import annotations

import app.first  # isort: skip  # noqa: F401  (comes before all else of the program)

import os

import requests
from flask import Flask, Response, jsonify, request
from sqlalchemy import text

from app import assembly
from app.config import Settings
from app.core import unit_of_work
from app.core.unit_of_work import transaction
from app.extensions import db
from app.server import Server

#: As many connections to Daraja are kept as the shop keeps.
AT_ONCE = 1_000
MADE = (
    "CREATE TABLE IF NOT EXISTS bare_notes (id {serial} PRIMARY KEY, name VARCHAR(64) UNIQUE, "
    "body {bytes}, at VARCHAR(32))"
)


class BareServer(Server):
    """The shop's own server, without the engine beside it."""

    def _start_jobs(self, worker: object) -> None:
        return None

    def _stop_jobs(self, _arbiter: object, _worker: object) -> None:
        return None


def make(settings: Settings) -> Flask:
    bare = Flask("bare")
    assembly.configure(bare, settings)
    db.init_app(bare)
    with bare.app_context():
        unit_of_work.watch(db.engine)
        is_sqlite = db.engine.dialect.name == "sqlite"
        serial = "INTEGER" if is_sqlite else "BIGSERIAL"
        with db.engine.begin() as connection:
            binary = "BLOB" if is_sqlite else "BYTEA"
            connection.execute(text(MADE.format(serial=serial, bytes=binary)))

    @bare.post("/insert")
    def insert() -> Response:
        raw = request.get_data()
        values = {"name": os.urandom(16).hex(), "body": raw, "at": "now"}
        with transaction() as session:
            session.execute(
                text("INSERT INTO bare_notes (name, body, at) VALUES (:name, :body, :at)"), values
            )
        return jsonify(ResultCode=0, ResultDesc="Accepted")

    daraja = requests.Session()
    daraja.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))
    push_url = f"{settings.daraja_root}/mpesa/stkpush/v1/processrequest"

    @bare.post("/prompt")
    def prompt() -> Response:
        name = os.urandom(16).hex()
        values = {"name": name, "body": request.get_data(), "at": "now"}
        with transaction() as session:
            session.execute(
                text("INSERT INTO bare_notes (name, body, at) VALUES (:name, :body, :at)"), values
            )
        told = daraja.post(push_url, json={"AccountReference": name}, timeout=20).json()
        with transaction() as session:
            session.execute(
                text("UPDATE bare_notes SET at = :at WHERE name = :name"),
                {"at": told["CheckoutRequestID"][:32], "name": name},
            )
        return jsonify(told)

    @bare.get("/api/health")
    def health() -> Response:
        return jsonify(status="ok")

    @bare.get("/read/<int:number>")
    def read(number: int) -> Response:
        query = text("SELECT id, name, at FROM bare_notes WHERE id = :id")
        row = db.session.execute(query, {"id": number}).first()
        return jsonify(success=row is not None, data=list(row or ()))

    return bare


def main() -> None:
    settings = Settings()
    BareServer(make(settings), settings, on_ready=lambda _server: None).run()


if __name__ == "__main__":
    main()
