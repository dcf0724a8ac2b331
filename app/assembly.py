"""The steps by which create_app puts an application together."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.middleware.proxy_fix import ProxyFix

from app import commands, hosts, languages, monitoring, realtime, static_files, web
from app.accounts import csrf, tokens
from app.accounts.own_pages import own_pages
from app.accounts.pages import account_pages
from app.accounts.people_pages import people_pages
from app.accounts.routes import auth_api
from app.admin.books_pages import books_pages
from app.admin.catalogue_pages import catalogue_pages
from app.admin.claim_pages import admin_claim_pages
from app.admin.close_pages import close_pages
from app.admin.credit_pages import admin_credit_pages
from app.admin.export_pages import export_pages
from app.admin.order_pages import admin_order_pages
from app.admin.pages import admin_pages
from app.admin.paybill_pages import paybill_pages
from app.admin.payment_pages import admin_payment_pages
from app.admin.reconciliation_pages import reconciliation_pages
from app.admin.settings_pages import settings_pages
from app.admin.settlement_pages import settlement_pages
from app.alerts import models as _alert_models  # noqa: F401  (registers its tables)
from app.announcer import Announcer
from app.audit import models as _audit_models  # noqa: F401  (registers its tables)
from app.audit.pages import audit_pages
from app.config import Settings
from app.core import unit_of_work
from app.customer.desk_pages import customer_desk
from app.customer.pages import customer_pages
from app.dialects.courses import courses_dialect
from app.dialects.payment_api import payment_api_dialect, payment_api_trials
from app.dialects.shop import shop_dialect
from app.dialects.shop_payouts import shop_payouts_dialect
from app.dialects.stk_push import stk_push_dialect
from app.dialects.transactions import transactions_dialect
from app.disbursements import models as _out_models  # noqa: F401  (registers its tables)
from app.disbursements.pages import out_pages
from app.disbursements.receipt_doors import receipt_doors
from app.extensions import db, jwt, limiter, migrate
from app.figures.routes import figures_api
from app.health import health_api
from app.jobs import Jobs, make_queue, redis_options
from app.ledger import models as _ledger_models  # noqa: F401  (registers its table)
from app.monitoring import listening as monitored_events
from app.monitoring.gauges import Gauges
from app.monitoring.routes import metrics_api
from app.openapi.routes import openapi_api
from app.orders.pages import shop_pages
from app.orders.routes import shop_api
from app.payments import link_models as _link_models  # noqa: F401  (registers its tables)
from app.payments import provider
from app.payments.afterwards import Afterwards
from app.payments.claims import models as _claim_models  # noqa: F401  (registers its table)
from app.payments.claims.pages import claim_pages
from app.payments.link_pages import link_pages
from app.payments.pages import payment_pages
from app.payments.paybill import models as _paybill_models  # noqa: F401  (registers its tables)
from app.payments.paybill.doors import paybill_doors
from app.payments.routes import orders_api
from app.payments.unchanged import Unchanged
from app.receipts.pages import receipt_pages
from app.reconciliation import models as _statement_models  # noqa: F401  (registers its tables)
from app.schema import MIGRATIONS
from app.settings import models as _settings_models  # noqa: F401  (registers its table)
from app.suppliers.pages import supplier_pages
from app.suppliers.routes import suppliers_api
from app.suppliers.run_pages import run_pages
from app.tunnel import BehindAgent, Tunnel
from app.webhooks import events as webhook_events
from app.webhooks.courier import Courier
from app.webhooks.pages import webhook_pages

MAX_BODY_BYTES = 1024 * 1024
#: What the payment dialog asks every few seconds.
POLLED = "/api/payments/mpesa/query"
#: SQLite opens connections cheaply; PostgreSQL's are counted by its administrator.
_POOLS: dict[str, dict[str, Any]] = {
    "sqlite": {"pool_size": 20, "max_overflow": 60},
    # A server that hangs is given up like one that is gone: nobody waits for it for ever.
    "postgresql": {
        "pool_size": 20,
        "connect_args": {
            "connect_timeout": 5,
            "tcp_user_timeout": 15_000,
            "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        },
    },
}


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
        RATELIMIT_STORAGE_OPTIONS=redis_options() if settings.redis_url else {},
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=bool(settings.redis_url),
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
    # Called before Flask-SQLAlchemy's own, which finds nothing left to end.
    app.teardown_appcontext(unit_of_work.let_go)
    with app.app_context():
        unit_of_work.watch(db.engine)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    jwt.init_app(app)
    limiter.init_app(app)
    # Every limit here stands on a view, where it is looked at. One on a blueprint or on the whole
    # application would need this look at each request back.
    app.before_request_funcs[None].remove(limiter._check_request_limit)
    provider.prepare(app)
    app.extensions["lipa_tunnel"] = Tunnel(settings)
    queue = make_queue(settings, queue_file(settings), app.config["SECRET_KEY"])
    app.extensions["lipa_jobs"] = Jobs(app, queue)
    app.extensions["lipa_announcer"] = Announcer(app)
    app.extensions["lipa_afterwards"] = Afterwards(app)
    app.extensions["lipa_courier"] = Courier(app)
    webhook_events.listen()
    monitored_events.listen()
    app.extensions["lipa_gauges"] = Gauges(app)
    realtime.install(app, settings)


def register_rooms(app: Flask, settings: Settings) -> None:
    for blueprint in (
        shop_pages,
        payment_pages,
        link_pages,
        claim_pages,
        receipt_pages,
        account_pages,
        own_pages,
        customer_pages,
        people_pages,
        customer_desk,
        audit_pages,
        admin_pages,
        admin_credit_pages,
        admin_claim_pages,
        admin_order_pages,
        admin_payment_pages,
        settlement_pages,
        export_pages,
        books_pages,
        catalogue_pages,
        close_pages,
        reconciliation_pages,
        paybill_pages,
        settings_pages,
        out_pages,
        supplier_pages,
        run_pages,
        webhook_pages,
        auth_api,
        shop_api,
        orders_api,
        paybill_doors,
        receipt_doors,
        shop_dialect,
        shop_payouts_dialect,
        suppliers_api,
        courses_dialect,
        stk_push_dialect,
        payment_api_dialect,
        transactions_dialect,
        figures_api,
        health_api,
        metrics_api,
        openapi_api,
        languages.language_doors,
    ):
        app.register_blueprint(blueprint)
    if not settings.is_production:
        from app.simulator.front_door import front_door

        app.register_blueprint(front_door)
        app.register_blueprint(payment_api_trials)
    commands.register(app)


def install_layers(app: Flask, settings: Settings) -> None:
    # The first to be installed is the last to see an answer, and compresses it.
    static_files.install(app, is_kept=not settings.debug)
    monitoring.watch_requests(app)
    if settings.debug:
        monitoring.tell_more()
    hosts.guard(app)
    csrf.protect(app)
    web.install(app)
    languages.install(app)
    with app.app_context():
        app.wsgi_app = Unchanged(app, db.engine, POLLED)  # type: ignore[method-assign]
    app.wsgi_app = tokens.EitherScheme(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    elif settings.follows_tunnel:
        app.wsgi_app = BehindAgent(app.wsgi_app)  # type: ignore[method-assign]


def queue_file(settings: Settings) -> Path:
    """Return the embedded queue's file, beside the SQLite database; no other shop has one.

    Each database has its own, since two shops that shared one would take each other's tasks.
    """
    database = Path(make_url(settings.sqlalchemy_url).database or "lipa.db").resolve()
    return database.with_name(f"{database.stem}-jobs.db")
