"""F4: news goes to the internet, and to no machine that only the shop can reach."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import LipaError
from app.webhooks import addresses, posting
from app.webhooks.addresses import NotAllowed, is_public, read, resolve

INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "168.63.129.16", "192.0.0.192", "192.88.99.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "203.0.113.7"),
    *("::", "::1", "fe80::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::"),
]
OUTSIDE = ["8.8.8.8", "196.201.214.200", "2a00:1450:4009::200e", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", INSIDE)
def test_f4_an_address_that_is_not_the_internets_is_known_however_it_is_written(
    address: str,
) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_f4_an_address_of_the_internet_is_let_through(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://erp.example/",
        "ftp://erp.example/",
        "file:///etc/passwd",
        "gopher://erp.example/",
        "//erp.example/",
        "erp.example",
        "",
        "https://",
        "https:///path",
        "https://user@erp.example/",
        "https://user:word@erp.example/",
        "https://erp.example@127.0.0.1/",
        "https://erp.example:22/",
        "https://erp.example:0/",
        "https://erp.example:99999/",
        "https://erp.example/#part",
        "https://erp.example/ path",
        "https://erp.example/\r\nHost: x",
        "https://erp\\.example/",
        "https://erp_example!/",
        "https://érp.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://erp.example/" + "x" * 500,
    ],
)
@pytest.mark.parametrize("local_allowed", [True, False])
def test_f4_what_is_no_plain_https_address_of_the_internet_is_refused(
    address: str, local_allowed: bool
) -> None:
    with pytest.raises(NotAllowed):
        read(address, local_allowed=local_allowed)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.0.0.1"])
def test_f4_only_a_shop_with_the_simulator_posts_to_its_own_machine(host: str) -> None:
    assert resolve(read(f"http://{host}/news", local_allowed=True)) == "127.0.0.1"
    with pytest.raises(NotAllowed):
        read(f"http://{host}/news", local_allowed=False)
    for other in ("http://localhost/", "http://127.0.0.2/", "http://[::1]/"):
        with pytest.raises(NotAllowed):
            read(other, local_allowed=True)


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]]
)
def test_f4_a_name_of_which_one_address_is_inside_is_sent_nothing(
    found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up(monkeypatch, [found])
    target = read("https://erp.example/news", local_allowed=False)
    outcome = posting.post(target, b"{}", {})
    assert outcome.status is None
    assert outcome.problem is not None
    assert "not an address of the internet" in outcome.problem


def test_f4_the_connection_is_made_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that says something else a moment later (DNS rebinding) changes nothing."""
    asked = looked_up(monkeypatch, [["8.8.8.8"], ["127.0.0.1"]])
    reached: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    target = read("https://erp.example/news", local_allowed=False)
    posting.post(target, b"{}", {})
    assert reached == ["8.8.8.8"]
    assert asked == ["erp.example"], "it is looked up once, and not by whoever connects"


def test_f4_a_certificate_of_another_name_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up(monkeypatch, [["8.8.8.8"]])
    near, far = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_: near)
    asked_for: list[str | None] = []

    class Context:
        def wrap_socket(self, plain: socket.socket, **given: object) -> socket.socket:
            asked_for.append(str(given["server_hostname"]))
            error = ssl.SSLCertVerificationError("Hostname mismatch")
            error.verify_message = "Hostname mismatch"
            raise error

    monkeypatch.setattr(ssl, "create_default_context", lambda **_: Context())
    target = read("https://erp.example/news", local_allowed=False)
    outcome = posting.post(target, b"{}", {})
    far.close()
    assert asked_for == ["erp.example"]
    assert outcome.problem is not None
    assert outcome.problem.startswith("its certificate is not good")


@given(st.text(max_size=80))
def test_f4_no_text_makes_anything_but_a_target_or_a_refusal(text: str) -> None:
    for address in (text, f"https://{text}", f"http://127.0.0.1{text}"):
        try:
            target = read(address, local_allowed=True)
        except LipaError:
            continue
        assert (target.scheme, target.is_local) in [("https", False), ("http", True)]
        assert not target.is_local or target.host == addresses.LOOPBACK


def looked_up(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> list[str]:
    """Have names mean these addresses, one answer a question; return who is asked about."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked
