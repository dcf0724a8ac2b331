"""What pages complain of: errors on the console, exceptions, violations of the CSP."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

#: A browser says this of every answer from 400 on and of every request that was cut off.
FAILED_REQUEST = "Failed to load resource"


class Console:
    """Collects the errors of all pages; what a test provokes it announces with `expect`."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._expected: list[str] = []

    def listen_to(self, context: BrowserContext) -> None:
        context.on("console", self._hear)
        context.on("weberror", self._catch)

    def expect(self, *beginnings: str) -> None:
        """Let errors that begin so pass."""
        self._expected += beginnings

    def unexpected(self) -> list[str]:
        return [error for error in self._errors if not error.startswith(tuple(self._expected))]

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._errors.append(f"{said.text} ({said.page.url if said.page else 'no page'})")

    def _catch(self, thrown: WebError) -> None:
        self._errors.append(f"uncaught: {thrown.error}")
