"""What the two shell scripts have in common: a program's way into a running shop.

Started with a Python that lacks the project's packages, a script goes on with the project's own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"

OWN_PYTHON = ENVIRONMENT / "bin" / "python"

if OWN_PYTHON.exists() and Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
    # Another Python may have some of the packages and not the rest: only this one has the lock's.
    os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])  # noqa: S606
try:
    import requests
    from pydantic import ValidationError

    from app.config import Settings
    from app.mpesa.phone import masked, msisdn
except ModuleNotFoundError as missing:
    print(f"{missing}. Run `make setup` once, then try again.", file=sys.stderr)
    sys.exit(2)

__all__ = ["ROOT", "Refused", "ShopClient", "Trouble", "masked", "msisdn", "say", "settings"]

SHOPPER = "shopper@example.com"
TIMEOUT_SECONDS = (3.05, 30)
PRODUCTS_A_PAGE = 100
MOST_PAGES = 20


class Trouble(Exception):
    """Something that whoever started the script can mend; the text says what and how."""


class Refused(Trouble):
    """The shop answered and said no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code


def say(text: str) -> None:
    """Print a line at once, into a pipe too."""
    print(text, flush=True)


def settings() -> Settings:
    """The project's own settings, from the environment and `.env`. Raises Trouble."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            problem["msg"] for problem in error.errors(include_input=False, include_url=False)
        )
        raise Trouble(f"The settings of this project are not right: {problems}.") from None


class ShopClient:
    """Speaks JSON to a shop. Every method raises Trouble or, where the shop says no, Refused."""

    def __init__(self, base_url: str | None = None) -> None:
        self.base_url = (base_url or f"http://127.0.0.1:{settings().port}").rstrip("/")
        self._session = requests.Session()
        # A proxy or a netrc of the machine does not belong between a script and its shop.
        self._session.trust_env = False

    def environment(self) -> str:
        """`simulator`, `sandbox` or `production`, by the shop's own word."""
        return str(self._call("GET", "/api/health")["environment"])

    def sign_in(self, email: str | None, password: str | None) -> str:
        """Sign in, by default as the demo shopper; returns the e-mail that worked."""
        email = email or SHOPPER
        password = password or settings().demo_password
        if not password:
            raise Trouble("No password: give --password, or set DEMO_PASSWORD in .env.")
        body = {"email": email, "password": password}
        token = self._call("POST", "/api/auth/login", body)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        return email

    def products(self) -> list[dict[str, Any]]:
        """Everything that can be ordered now."""
        found: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            path = f"/api/products?page={page}&per_page={PRODUCTS_A_PAGE}"
            answer = self._call("GET", path)
            found += answer["results"]
            if page * PRODUCTS_A_PAGE >= answer["total"]:
                break
        return [product for product in found if product["stock"] != 0 and product["price"] > 0]

    def place_order(self, quantities: dict[int, int]) -> dict[str, Any]:
        """Order so many of each product id; returns the order's JSON."""
        items = [{"product_id": number, "quantity": n} for number, n in quantities.items()]
        return self._call("POST", "/api/orders", {"items": items})

    def order(self, order_id: str) -> dict[str, Any]:
        """An order as it stands, with all its payments."""
        return self._call("GET", f"/api/orders/{order_id}")

    def initiate(self, order_id: str, phone: str) -> dict[str, Any]:
        """Have a prompt sent for what is owed on an order."""
        body = {"order_id": order_id, "phone_number": phone}
        return self._data("/api/payments/mpesa/initiate", body)

    def query(self, order_id: str) -> dict[str, Any]:
        """How an order's payment stands."""
        return self._data("/api/payments/mpesa/query", {"order_id": order_id})

    def post_callback(self, path: str, body: bytes) -> int:
        """Post a body as Daraja would; returns the HTTP status."""
        headers = {"Content-Type": "application/json", "Authorization": ""}
        return self._send("POST", path, data=body, headers=headers).status_code

    def simulator_is_there(self) -> bool:
        """Whether the simulator answers behind the shop's own address."""
        return self._send("GET", "/simulator/api/health").ok

    def prompts_on(self, phone: str) -> list[dict[str, Any]]:
        """The latest prompts of a simulated phone, newest first."""
        prompts: list[dict[str, Any]] = self._call("GET", f"/simulator/api/phones/{phone}")[
            "prompts"
        ]
        return prompts

    def answer_prompt(self, checkout_request_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        """Enter `{"pin": …}` on the simulated phone, or `{"cancel": true}`."""
        # The shop lets only its own pages through to the simulator's buttons.
        headers = {"Origin": self.base_url}
        path = f"/simulator/api/prompts/{checkout_request_id}"
        return self._call("POST", path, answer, headers)

    def daraja_requests(self, checkout_request_id: str) -> list[dict[str, Any]]:
        """What the simulated Daraja was asked about a prompt lately, newest first."""
        lately = self._call("GET", "/simulator/api/requests")["requests"]
        return [row for row in lately if row["CheckoutRequestID"] == checkout_request_id]

    def _data(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = self._call("POST", path, body)["data"]
        return data

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        response = self._send(method, path, json=body, headers=headers)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Trouble(
                f"{self.base_url} does not answer like a shop (HTTP {response.status_code})."
            )
        if not response.ok:
            raise Refused(response.status_code, str(answer.get("code", "")), _words(answer))
        return answer

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(
                method,
                self.base_url + path,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                **options,
            )
        except requests.ConnectionError:
            raise Trouble(
                f"No shop answers at {self.base_url}. Start it with `make run`, "
                "or say where it is with --base-url."
            ) from None
        except requests.Timeout:
            raise Trouble(f"The shop at {self.base_url} took too long to answer.") from None
        except requests.RequestException as error:
            raise Trouble(f"{self.base_url} cannot be used: {type(error).__name__}.") from None


def _words(answer: dict[str, Any]) -> str:
    problems = answer.get("problems")
    if isinstance(problems, list):
        return f"The shop is not well: {'; '.join(map(str, problems))}."
    return str(answer.get("message", "The shop refused."))
