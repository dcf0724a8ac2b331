"""Which language a page speaks, and how it says words, money and time in it.

Programs are answered in English, as the documents of the API promise. A page speaks the language
that was chosen in this browser, else the one that its reader's account names, else the first of
ours that the browser asks for.
"""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    has_request_context,
    redirect,
    request,
    session,
)
from flask.typing import ResponseReturnValue
from flask_babel import Babel, get_locale, gettext

from app.accounts.addresses import own_address
from app.accounts.guard import current_person, open_to_all, preferred_language
from app.accounts.models import Person
from app.core.clock import for_people, nairobi
from app.core.errors import ValidationError
from app.core.money import Kes, kes
from app.core.texts import Said, filled, said
from app.core.unit_of_work import transaction
from app.limits import language_limit

#: What each calls itself, the first of them for whoever asks for none of ours.
LANGUAGES = {"en": "English", "sw": "Kiswahili"}
DEFAULT = "en"

language_doors = Blueprint("language_doors", __name__)


def install(app: Flask) -> None:
    """Let pages speak their reader's language."""
    app.config["BABEL_DEFAULT_LOCALE"] = DEFAULT
    Babel(app, locale_selector=chosen)
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters.update(shillings=money, nairobi=moment, said=in_readers_language)
    app.context_processor(_for_every_template)
    app.after_request(_name_language)


def _for_every_template() -> dict[str, object]:
    return {"language": language(), "languages": LANGUAGES, "here": _here()}


def _here() -> str:
    """Return where whoever chooses a language on this page comes back to.

    A page that leads on is named with where it leads, unless that is no place of ours.
    """
    if not has_request_context() or request.method != "GET":
        return "/"
    wanted = request.args.get("next")
    leads_on = wanted is None or own_address(wanted) == wanted
    return request.full_path if leads_on else request.path


def chosen() -> str:
    """Return the code of the language that this request's page is to speak.

    Asked once for each request that says something. What this browser has chosen costs no
    question to the database. Nobody reads what a job in the background says: that is English.
    """
    if not has_request_context():
        return DEFAULT
    # A program has no cookie, and its answer does not vary with one.
    has_session = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    picked = session.get("language") if has_session else None
    if isinstance(picked, str) and picked in LANGUAGES:
        return picked
    preferred = preferred_language()
    return preferred if preferred in LANGUAGES else _asked_by_browser()


def _asked_by_browser() -> str:
    """Return the first of ours that the browser would have; ``sw-KE`` is Swahili."""
    # Werkzeug's own choice would pass "sw-KE" over for an "en" that is wanted less.
    for tag, quality in request.accept_languages:
        name = tag.replace("_", "-").partition("-")[0].lower()
        if name in LANGUAGES and quality > 0:
            return name
    return DEFAULT


def language() -> str:
    """Return the code of the language that is spoken here; English outside of a request."""
    locale = get_locale()
    return locale.language if locale else DEFAULT


def in_readers_language(text: str) -> str:
    """Say what somebody has ``said`` or ``marked`` again, in the language of this page.

    A plain text is said as it stands in the catalogue, and as it is where it does not.
    """
    if not text:
        return text
    if not isinstance(text, Said):
        return str(gettext(text))
    values = {name: _in_place(value) for name, value in text.values.items()}
    return filled(str(gettext(text.template)), values)


def _in_place(value: object) -> object:
    if isinstance(value, Kes):
        return money(value)
    return in_readers_language(value) if isinstance(value, Said) else value


def money(cents: int, *, decimals: bool = False) -> str:
    """Write cents for this page's reader: ``KES 1,500``, and ``Ksh 1,500`` in Swahili."""
    written = kes(cents, decimals=decimals)
    return written.replace("KES", "Ksh", 1) if language() == "sw" else written


def moment(when: datetime) -> str:
    """Write a moment in Nairobi's time: ``21 Nov 2026, 16:05``."""
    if language() == DEFAULT:
        return for_people(when)
    return format_datetime(nairobi(when).replace(tzinfo=None), "d MMM y, HH:mm", locale=language())


@language_doors.post("/language")
@open_to_all
@language_limit
def choose() -> ResponseReturnValue:
    """Speak another language from now on: in this browser, and to whoever is signed in."""
    wanted = request.form.get("language", "")
    if wanted not in LANGUAGES:
        names = ", ".join(LANGUAGES)
        raise ValidationError(said("Choose one of these languages: {names}.", names=names))
    session["language"] = wanted
    person = current_person()
    if person is not None:
        with transaction() as unit:
            unit.get_one(Person, person.id).language = wanted
    return redirect(own_address(request.form.get("next")), 303)


def _name_language(response: Response) -> Response:
    # A redirect has a body too, which nobody reads.
    if response.mimetype == "text/html" and not 300 <= response.status_code < 400:
        response.headers.setdefault("Content-Language", language())
        response.vary.update(["Accept-Language", "Cookie"])
    return response
