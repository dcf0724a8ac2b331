"""What a browser or program calls itself, in words for people."""

from __future__ import annotations

#: By the first mark that is found: browsers carry the names of those they descend from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("HeadlessChrome", "Chrome without a window"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl/", "curl"),
    ("python-requests", "a Python program"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "a Mac"),
    ("Linux", "Linux"),
)
MOST_MARKS = 40


def in_words(user_agent: str | None) -> str:
    """Return such as "Chrome on Android"; a program that is not known by its own first word."""
    if not user_agent:
        return "A program that does not say its name"
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    name = browser or user_agent.split()[0].split("/")[0][:MOST_MARKS]
    told = f"{name} on {system}" if system else name
    return told[:1].upper() + told[1:]


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((word for mark, word in marks if mark in text), None)
