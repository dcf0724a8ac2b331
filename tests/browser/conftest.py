"""A browser, a shop of its own for each file, and one ear for everything that pages complain of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.console import Console
from tests.browser.people import Handset, Shopper, new_msisdn
from tests.services.chromium import FLAGS
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop, live_shop

PROMPT_SECONDS = 60
#: Longer than a poll, the pause after a success, and a busy machine together.
WAIT_MS = 15_000

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[LiveShop]:
    """The shop of one file; a file that names PROMPT_SECONDS has prompts that live as long."""
    seconds = getattr(request.module, "PROMPT_SECONDS", PROMPT_SECONDS)
    with live_shop(stk_prompt_seconds=seconds) as shop:
        yield shop


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    # One for a module and no longer: Playwright bears one instance a thread, and other tests
    # have theirs.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def console() -> Iterator[Console]:
    """Fails the test when a page said or threw an error that the test had not announced."""
    console = Console()
    yield console
    assert console.unexpected() == []


@pytest.fixture
def new_context(browser: Browser, shop: LiveShop, console: Console) -> Iterator[NewContext]:
    """Make a browser of one more person, or one phone: own cookies, at the shop's address."""
    contexts: list[BrowserContext] = []

    def make(width: int = 360, **options: object) -> BrowserContext:
        context = browser.new_context(
            base_url=shop.base_url,
            viewport={"width": width, "height": 740},
            reduced_motion="reduce",
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        console.listen_to(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def shopper(new_context: NewContext) -> Shopper:
    """Somebody who has just made an account, with an empty cart and a phone of their own."""
    somebody = Shopper(new_context(), new_msisdn())
    somebody.register()
    return somebody


@pytest.fixture
def new_handset(new_context: NewContext) -> Callable[[str], Handset]:
    """Open the virtual phone of a number, in a browser that knows nothing of the shop's cookies."""
    return lambda msisdn: Handset(new_context(), msisdn)


@pytest.fixture
def handset(new_handset: Callable[[str], Handset], shopper: Shopper) -> Handset:
    """The shopper's own virtual phone."""
    return new_handset(shopper.msisdn)


@pytest.fixture
def simulator(shop: LiveShop) -> Iterator[Daraja]:
    """The simulated Daraja behind the shop, to arm scenarios and to see what money moved."""
    daraja = Daraja(shop.simulator_url, callback_url="")
    with daraja.session:
        yield daraja
