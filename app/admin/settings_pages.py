"""System settings: what the shop knows of its M-Pesa account, and a form for what it may store."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import admin_page, require_person
from app.config import Environment
from app.core.errors import Conflict, LipaError, NotFound
from app.settings import service
from app.settings.keys import BY_NAME, ENVIRONMENT, Key

settings_pages = Blueprint("settings_pages", __name__, url_prefix="/admin/settings")
PAGE = "/admin/settings"


@settings_pages.get("")
@admin_page
def show() -> ResponseReturnValue:
    standings = service.overview()
    return render_template(
        "admin/settings.html",
        standings=standings,
        missing=service.missing(standings),
        cautions=service.cautions(standings),
        environments=list(Environment),
    )


@settings_pages.post("/<name>")
@admin_page
def save(name: str) -> ResponseReturnValue:
    """Store one setting, or take back what is stored where the form's ``clear`` says so."""
    key = _found(name)
    try:
        _refuse_locked(key)
        flash(_clear(key) if "clear" in request.form else _store(key), "notice")
    except LipaError as refusal:
        flash(refusal.message, "error")
    return redirect(PAGE, 303)


def _store(key: Key) -> str:
    service.store_all({key.name: request.form.get("value", "")}, by=require_person().email)
    if key is ENVIRONMENT:
        return f"{key.label}: stored. Start the shop again to make it count."
    if service.settings().is_simulator and key.is_required:
        return f"{key.label}: stored. The embedded simulator knows it after the next start."
    return f"{key.label}: stored, and in use from now on."


def _clear(key: Key) -> str:
    service.clear(key.name, by=require_person().email)
    return f"{key.label}: what was stored is gone."


def _refuse_locked(key: Key) -> None:
    if service.set_outside(service.settings(), key):
        raise Conflict(f"{key.variable} is set in the environment or .env; change it there.")


def _found(name: str) -> Key:
    if name not in BY_NAME:
        raise NotFound("There is no such setting.")
    return BY_NAME[name]
