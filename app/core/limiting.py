"""Counting what may be done so often, outside the decorators of the doors."""

from __future__ import annotations

import logging

from limits import parse as parse_limit

from app.extensions import limiter

logger = logging.getLogger(__name__)


def spend(limit: str, *names: str) -> bool:
    """Take one of what ``limit`` allows under these names; False when there is none left.

    A store of limits that is away lets everything through: it must not stop a payment.
    """
    try:
        return bool(limiter.limiter.hit(parse_limit(limit), *names))
    except Exception as error:
        logger.warning("a limit could not be counted (%s)", type(error).__name__)
        return True
