"""Which way the doors open: imports point downward, and one module writes a payment's status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"
#: Where things happen. What an HTTP request looks like is no concern of these.
SERVICE_MODULES = frozenset(
    {"service", "models", "states", "settle", "engine", "inbox", "initiate", "queries", "products"}
)
MAX_LINES = 400


def modules(*folders: str) -> list[Path]:
    """Return every module below these folders of app/, or of all of it."""
    roots = [APP / folder for folder in folders] or [APP]
    return sorted(path for root in roots for path in root.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield every imported name in full, those inside functions and type checks included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def strays(paths: list[Path], *allowed: str) -> list[str]:
    """Return what these modules import of the program beyond the rooms that they may use."""
    return [
        f"{name_of(path)} imports {name}"
        for path in paths
        for name in imports(path)
        if within(name, "app") and not within(name, *allowed)
    ]


def users(paths: list[Path], *rooms: str) -> list[str]:
    """Return which of these modules import one of the rooms."""
    return sorted(
        {name_of(path) for path in paths for name in imports(path) if within(name, *rooms)}
    )


def test_the_core_knows_no_room() -> None:
    assert strays(modules("core"), "app.core", "app.extensions") == []


def test_the_mpesa_room_knows_neither_flask_nor_tables() -> None:
    assert strays(modules("mpesa"), "app.core", "app.mpesa") == []
    assert (
        users(modules("mpesa"), "flask", "sqlalchemy", "flask_sqlalchemy", "app.extensions") == []
    )
    # The core's modules that need a database are out of bounds for it too.
    assert users(modules("mpesa"), "app.core.unit_of_work", "app.core.statements") == []


def test_orders_know_nothing_of_payments() -> None:
    assert users(modules("orders"), "app.payments", "app.dialects", "app.admin") == []


def test_accounts_know_neither_orders_nor_payments() -> None:
    assert users(modules("accounts"), "app.orders", "app.payments", "app.dialects") == []


def test_payments_know_no_dialect_and_no_page_of_another_room() -> None:
    assert users(modules("payments"), "app.dialects", "app.admin", "app.simulator") == []
    assert users(modules("payments"), "app.orders.routes", "app.orders.pages") == []


def test_no_dialect_imports_another() -> None:
    for path in modules("dialects"):
        assert strays_among_dialects(path) == []


def strays_among_dialects(path: Path) -> list[str]:
    # A dialect is a module, or a package whose modules may use each other.
    own = ".".join(name_of(path).split(".")[:3])
    return [
        name for name in imports(path) if within(name, "app.dialects") and not within(name, own)
    ]


def test_no_service_reads_a_request() -> None:
    services = [path for path in modules() if path.stem in SERVICE_MODULES]
    services = [path for path in services if "simulator" not in path.parts]
    assert services
    assert users(services, "flask.request", "flask.session", "flask.g") == []


def test_services_know_no_routes() -> None:
    services = [path for path in modules() if path.stem in SERVICE_MODULES]
    doors = [name_of(path) for path in modules() if path.stem in ("routes", "pages", "webhook")]
    assert users(services, *doors, "app.dialects", "app.web") == []


def _is_update(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "values":
        return False
    return any(keyword.arg == "status" for keyword in node.keywords)


def writes_status(path: Path) -> list[int]:
    """Return the lines that assign a status or put one into an UPDATE."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            flat = [part for target in targets for part in ast.walk(target)]
            if any(isinstance(part, ast.Attribute) and part.attr == "status" for part in flat):
                found.append(node.lineno)
        elif _is_update(node):
            found.append(node.lineno)
    return found


def test_one_module_writes_the_status_of_a_payment() -> None:
    writers = {
        name_of(path) for path in modules("payments", "dialects", "admin") if writes_status(path)
    }
    assert writers == {"app.payments.settle"}


def test_one_module_writes_the_status_of_money_out() -> None:
    paths = modules("disbursements", "suppliers")
    writers = {name_of(path) for path in paths if writes_status(path)}
    assert writers == {"app.disbursements.machine"}


def test_the_ledger_knows_nobody_who_writes_to_it() -> None:
    assert strays(modules("ledger"), "app.core", "app.extensions", "app.ledger") == []


def test_payments_know_nothing_of_money_out() -> None:
    assert users(modules("payments"), "app.disbursements", "app.suppliers") == []


def test_nobody_below_knows_receipts_or_a_customer_s_pages() -> None:
    below = ("core", "mpesa", "accounts", "orders", "payments", "disbursements", "reconciliation")
    assert users(modules(*below), "app.receipts", "app.customer") == []


def test_the_simulator_can_be_taken_away() -> None:
    assert strays(modules("simulator"), "app.simulator", "app.mpesa.result_codes") == []
    outside = [path for path in modules() if APP / "simulator" not in path.parents]
    assert set(users(outside, "app.simulator")) <= {"app.assembly", "app.commands"}


def test_nobody_imports_what_puts_the_program_together() -> None:
    tops = ("app.assembly", "app.commands", "app.server")
    lower = [path for path in modules() if name_of(path) not in {"app", *tops}]
    assert users(lower, *tops) == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_file_can_be_held_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MAX_LINES
