"""A Daraja that answers from a script, without a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests_mock

from tests.rooms.mpesa.speaking import TOKEN_URL


@pytest.fixture
def wire() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(TOKEN_URL, json={"access_token": "token-1", "expires_in": "3599"})
        yield mocker
