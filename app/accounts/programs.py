"""What a browser or program calls itself, in words for people."""

from __future__ import annotations

from app.core.texts import marked, said

#: By the first mark that is found: browsers carry the names of those they descend from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("HeadlessChrome", marked("Chrome without a window")),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl/", "Curl"),
    ("python-requests", marked("A Python program")),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", marked("an iPhone")),
    ("iPad", marked("an iPad")),
    ("Windows", "Windows"),
    ("Mac OS X", marked("a Mac")),
    ("Linux", "Linux"),
)
MOST_MARKS = 40


def in_words(user_agent: str | None) -> str:
    """Return such as "Chrome on Android"; a program that is not known by its own first word."""
    if not user_agent:
        return marked("A program that does not say its name")
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    name = browser or _capital(user_agent.split()[0].split("/")[0][:MOST_MARKS])
    return said("{program} on {system}", program=name, system=system) if system else name


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((word for mark, word in marks if mark in text), None)
