"""The steps by which create_app puts an application together."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.middleware.proxy_fix import ProxyFix

from app import commands, monitoring, realtime, web
from app.accounts import csrf, tokens
from app.accounts.pages import account_pages
from app.accounts.routes import auth_api
from app.admin.pages import admin_pages
from app.config import ROOT, Settings
from app.core import unit_of_work
from app.dialects.shop import shop_dialect
from app.extensions import db, jwt, limiter, migrate
from app.health import health_api
from app.jobs import Jobs, make_queue
from app.orders.pages import shop_pages
from app.orders.routes import shop_api
from app.payments import provider
from app.payments.pages import payment_pages
from app.payments.routes import orders_api
from app.schema import MIGRATIONS
from app.settings import models as _settings_models  # noqa: F401  (registers its table)

MAX_BODY_BYTES = 1024 * 1024
#: SQLite opens connections cheaply; PostgreSQL's are counted by its administrator.
_POOLS = {"sqlite": {"pool_size": 20, "max_overflow": 60}, "postgresql": {"pool_size": 20}}


def configure(app: Flask, settings: Settings) -> None:
    """Translate our settings into Flask's. Secrets that are not set last for this process."""
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    app.extensions["lipa_settings"] = settings
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(
        SECRET_KEY=settings.secret_key or secrets.token_urlsafe(32),
        SQLALCHEMY_DATABASE_URI=url.render_as_string(hide_password=False),
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_pre_ping": url.get_backend_name() != "sqlite",
            **_POOLS.get(url.get_backend_name(), {}),
        },
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_production,
        WTF_CSRF_TIME_LIMIT=None,
        SIMULATOR_PORT=settings.simulator_port,
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        RATELIMIT_STRATEGY="moving-window",
        RATELIMIT_SWALLOW_ERRORS=True,
    )
    tokens.configure(
        app,
        settings.jwt_secret_key or secrets.token_urlsafe(32),
        secure_cookies=settings.is_production,
    )


def bind_extensions(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    with app.app_context():
        unit_of_work.watch(db.engine)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    jwt.init_app(app)
    limiter.init_app(app)
    provider.prepare(app)
    queue = make_queue(settings, queue_file(settings), app.config["SECRET_KEY"])
    app.extensions["lipa_jobs"] = Jobs(app, queue)
    realtime.install(app, settings)


def register_rooms(app: Flask, settings: Settings) -> None:
    for blueprint in (
        shop_pages,
        payment_pages,
        account_pages,
        admin_pages,
        auth_api,
        shop_api,
        orders_api,
        shop_dialect,
        health_api,
    ):
        app.register_blueprint(blueprint)
    if not settings.is_production:
        from app.simulator.front_door import front_door

        app.register_blueprint(front_door)
    commands.register(app)


def install_layers(app: Flask, settings: Settings) -> None:
    monitoring.watch_requests(app)
    csrf.protect(app)
    web.install(app)
    app.wsgi_app = tokens.EitherScheme(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]


def queue_file(settings: Settings) -> Path:
    """Return the embedded queue's file: beside a SQLite database, else in instance/.

    Each database has its own, since two shops that shared one would take each other's tasks.
    """
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite" and url.database:
        database = Path(url.database).resolve()
        return database.with_name(f"{database.stem}-jobs.db")
    folder = ROOT / "instance"
    folder.mkdir(exist_ok=True)
    name = hashlib.sha256(settings.sqlalchemy_url.encode()).hexdigest()[:12]
    return folder / f"{name}-jobs.db"
