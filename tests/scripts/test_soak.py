"""The soak reads memory as the kernel tells it, and growth as it is."""

from __future__ import annotations

import os

import pytest

from scripts.bench.soak import Look, megabytes_of, slope


def test_memory_that_a_process_takes_is_seen() -> None:
    before = megabytes_of([os.getpid()])
    taken = bytearray(os.urandom(1024)) * (64 * 1024)
    assert megabytes_of([os.getpid()]) - before == pytest.approx(len(taken) / 2**20, abs=8)


def test_growth_is_told_by_request_and_flat_memory_has_none() -> None:
    growing = [Look(requests, 200 + requests * 0.003) for requests in range(0, 5000, 250)]
    assert slope(growing) * 1000 == pytest.approx(3)
    assert slope([Look(requests, 200) for requests in range(0, 5000, 250)]) == 0
