"""An admin at a desk: a browser that is signed in, reads pages and sends their forms."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from app.disbursements.models import PayoutRun
from app.extensions import db
from tests.cases.people import browser
from tests.support.app import Account, Shop

HTML = {"Accept": "text/html"}
HEAD = "supplier,mpesa number,amount,notes\n"
#: A file that pays two suppliers, of which Kamau is one.
GOOD = HEAD + "Kamau,,1500,Beans\nOtieno,0722 000 222,800,Delivery\n"


class Desk:
    """One admin's browser. Pages come as text, with their entities put back."""

    def __init__(self, shop: Shop, who: Account) -> None:
        self.who = who
        self.browser = browser(shop, who)

    def open(self, path: str) -> TestResponse:
        return self.browser.get(path, headers=HTML)

    def read(self, path: str) -> str:
        """Return a page as text; it must be there."""
        answer = self.open(path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def send(self, path: str, **form: Any) -> TestResponse:
        return self.browser.post(path, data=form, headers=HTML)

    def sent(self, path: str, **form: Any) -> str:
        """Send a form that leads on, and return the address where it leads."""
        answer = self.send(path, **form)
        assert answer.status_code == 303, unescape(answer.text)
        return answer.location

    def told(self, path: str, **form: Any) -> str:
        """Send a form that leads on, and return the page where it leads."""
        return self.read(self.sent(path, **form).partition("#")[0])

    def upload(self, data: bytes, name: str = "wages.csv") -> TestResponse:
        """Send a file as browsers do."""
        field = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        lines = (b"--edge", field.encode(), b"Content-Type: text/csv", b"", data, b"--edge--", b"")
        return self.browser.post(
            "/admin/runs",
            data=b"\r\n".join(lines),
            content_type="multipart/form-data; boundary=edge",
            headers=HTML,
        )

    def draft(self, text: str) -> str:
        """Read a CSV in, and return the address of its preview."""
        answer = self.upload(text.encode())
        assert answer.status_code == 303, unescape(answer.text)
        return answer.location

    def ask_for(self, run: str, **ticks: str) -> str:
        """Ask for a draft as it stands on its page, and return the page where that leads."""
        seal = hidden(self.read(run), "seal")
        return self.told(f"{run}/ask", seal=seal, **ticks)

    def results(self, run: str) -> list[dict[str, str]]:
        """Return the rows of a run's download, each by its headings."""
        answer = self.open(f"{run}/results.csv")
        assert answer.mimetype == "text/csv"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="payouts-')
        return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def hidden(page: str, name: str) -> str:
    """Return what a hidden field of a page holds."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, f"no field {name}"
    return found[1]


def section(page: str, heading: str) -> str:
    """Return the section of a page that is about something, by the id of its heading."""
    found = page.partition(f'aria-labelledby="{heading}"')[2].partition("</section>")[0]
    assert found, f"no section {heading}"
    return found


def title(page: str) -> str:
    """Return what a page says of the state of what it is about."""
    found = re.search(r'id="state-title"[^>]*>\s*(.*?)\s*</h2>', page, re.DOTALL)
    assert found is not None, page
    return found[1]


def problems(page: str) -> list[str]:
    """Return every problem that a page tells beside a field or a form."""
    return re.findall(r'class="problem"[^>]*>([^<]+)<', page)


def flashed(page: str) -> list[str]:
    """Return what a page says of what has just been done."""
    return re.findall(r'<p class="flash flash-\w+" role="(?:alert|status)">([^<]*)</p>', page)


def wrong_rows(page: str) -> dict[str, str]:
    """Return what a preview says is wrong, by row."""
    part = section(page, "wrong-heading")
    cells = [cell.partition("</td>")[0] for cell in part.split("<td ")[1:]]
    values = [cell.partition(">")[2] for cell in cells]
    return {values[at]: values[at + 3] for at in range(0, len(values), 4)}


def runs_of(shop: Shop) -> list[PayoutRun]:
    """Return every run and draft, oldest first, as committed at this moment."""
    with shop.app.app_context():
        return list(db.session.scalars(select(PayoutRun).order_by(PayoutRun.id)))
