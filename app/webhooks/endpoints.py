"""Keeping the addresses that are told: adding, pausing, changing a secret, removing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.limiting import spend
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.settings.service import settings
from app.webhooks import addresses
from app.webhooks.events import CHOICES, TEST, write
from app.webhooks.models import Delivery, DeliveryState, Endpoint
from app.webhooks.signals import delivery_staged
from app.webhooks.signing import OLD_SECRET_FOR, new_secret, sealed

MOST_ENDPOINTS = 20
#: So many deliveries that were given up are taken up again at once.
MOST_AGAIN = 500


@dataclass(frozen=True)
class Standing:
    """An endpoint, and how many of its deliveries stand in each state."""

    endpoint: Endpoint
    counts: dict[str, int]

    @property
    def waiting(self) -> int:
        return self.counts.get(DeliveryState.WAITING, 0)

    @property
    def given_up(self) -> int:
        return self.counts.get(DeliveryState.GIVEN_UP, 0)


def target_of(address: str) -> addresses.Target:
    """Return what an address means under this shop's settings. Raises NotAllowed."""
    return addresses.read(address, local_allowed=settings().is_simulator)


def overview() -> list[Standing]:
    """Return every endpoint that is not removed, the oldest first."""
    query = select(Endpoint).where(Endpoint.removed_at.is_(None)).order_by(Endpoint.id)
    found = list(db.session.scalars(query.limit(MOST_ENDPOINTS)))
    counted = (
        select(Delivery.endpoint_id, Delivery.state, func.count())
        .where(Delivery.state.in_((DeliveryState.WAITING, DeliveryState.GIVEN_UP)))
        .group_by(Delivery.endpoint_id, Delivery.state)
    )
    counts: dict[int, dict[str, int]] = {}
    for endpoint_id, state, count in db.session.execute(counted):
        counts.setdefault(endpoint_id, {})[state] = count
    return [Standing(endpoint, counts.get(endpoint.id, {})) for endpoint in found]


def find(endpoint_id: int) -> Endpoint:
    """Return an endpoint. Raises NotFound for one that never was or is removed."""
    found = db.session.get(Endpoint, endpoint_id)
    if found is None or found.removed_at is not None:
        raise NotFound(marked("There is no such endpoint."))
    return found


def add(address: str, events: list[str], person: Person) -> tuple[Endpoint, str]:
    """Add an endpoint; return it and its secret, which nobody is told again.

    Raises NotAllowed, ValidationError, Conflict and NoEncryptionKey.
    """
    address = address.strip()
    target, chosen = target_of(address), [kind for kind in CHOICES if kind in events]
    if not chosen:
        raise ValidationError(marked("Choose at least one thing that it is told of."))
    secret = new_secret()
    endpoint = Endpoint(address=address, events=chosen, secret=sealed(secret), created_by=person.id)
    with transaction() as session:
        _require_room(session, address)
        session.add(endpoint)
        session.flush()
        _audit(session, person, "added", endpoint.id, host=target.host, events=",".join(chosen))
    return endpoint, secret


def rotate(endpoint_id: int, person: Person) -> str:
    """Give an endpoint a new secret and return it. The one before signs too for 24 hours."""
    secret = new_secret()
    kept = sealed(secret)
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        endpoint.previous_secret, endpoint.secret = endpoint.secret, kept
        endpoint.previous_until = now() + OLD_SECRET_FOR
        _audit(session, person, "given_a_new_secret", endpoint_id)
    return secret


def pause(endpoint_id: int, person: Person) -> None:
    """Keep what happens for an endpoint, and send it nothing for now."""
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        endpoint.paused_at = endpoint.paused_at or now()
        _audit(session, person, "paused", endpoint_id)


def resume(endpoint_id: int, person: Person) -> None:
    """Send an endpoint what was kept for it, and whatever comes."""
    with transaction() as session:
        _locked(session, endpoint_id).paused_at = None
        _audit(session, person, "resumed", endpoint_id)
    delivery_staged.send()


def remove(endpoint_id: int, person: Person) -> None:
    """Send an endpoint nothing more. What was sent stays on record."""
    with transaction() as session:
        _locked(session, endpoint_id).removed_at = now()
        waiting = Delivery.endpoint_id == endpoint_id, Delivery.state == DeliveryState.WAITING
        session.execute(
            update(Delivery)
            .where(*waiting)
            .values(state=DeliveryState.GIVEN_UP, problem=marked("the endpoint was removed"))
        )
        _audit(session, person, "removed", endpoint_id)


def send_test(endpoint_id: int, person: Person) -> None:
    """Write an event that says nothing, for this endpoint only. Raises Conflict after too many."""
    if not spend("10/minute", "webhook-test", str(endpoint_id)):
        raise Conflict(marked("That was ten tests within a minute. Wait a little."))
    with transaction() as session:
        endpoint = _locked(session, endpoint_id)
        write(session, TEST, {"sent_by": person.name}, [endpoint])
        _audit(session, person, "tested", endpoint_id)


def deliver_again(endpoint_id: int, person: Person, delivery_id: int | None = None) -> int:
    """Have one delivery, or all that were given up, tried anew; return how many that is.

    The other side tells a repetition by its id. What waits already is only tried sooner.
    """
    wanted = [Delivery.endpoint_id == endpoint_id]
    if delivery_id is None:
        given_up = select(Delivery.id).where(*wanted, Delivery.state == DeliveryState.GIVEN_UP)
        wanted.append(Delivery.id.in_(given_up.order_by(Delivery.id).limit(MOST_AGAIN)))
    else:
        wanted.append(Delivery.id == delivery_id)
    again = {"state": DeliveryState.WAITING, "tries": 0, "next_try_at": now()}
    with transaction() as session:
        _locked(session, endpoint_id)
        count = rows_changed(session, update(Delivery).where(*wanted).values(**again))
        _audit(session, person, "delivered_again", endpoint_id, deliveries=count)
    delivery_staged.send()
    return count


def deliveries(
    endpoint_id: int, before: int | None = None, state: str = "", limit: int = 50
) -> list[Delivery]:
    """Return an endpoint's newest deliveries, or those before one; at most ``limit``."""
    query = select(Delivery).where(Delivery.endpoint_id == endpoint_id)
    if before is not None:
        query = query.where(Delivery.id < before)
    if state in list(DeliveryState):
        query = query.where(Delivery.state == state)
    return list(db.session.scalars(query.order_by(Delivery.id.desc()).limit(limit)))


def _require_room(session: Session, address: str) -> None:
    query = select(Endpoint.address).where(Endpoint.removed_at.is_(None))
    present = session.scalars(query).all()
    if address in present:
        raise Conflict(marked("This address is told already."))
    if len(present) >= MOST_ENDPOINTS:
        raise Conflict(
            said("A shop has {most} endpoints at most. Remove one first.", most=MOST_ENDPOINTS)
        )


def _locked(session: Session, endpoint_id: int) -> Endpoint:
    query = select(Endpoint).where(Endpoint.id == endpoint_id, Endpoint.removed_at.is_(None))
    query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).first()
    if found is None:
        raise NotFound(marked("There is no such endpoint."))
    return found


def _audit(
    session: Session, person: Person, what: str, endpoint_id: int, **more: str | int
) -> None:
    record(session, person, f"webhook.{what}", f"webhook {endpoint_id}", **more)
