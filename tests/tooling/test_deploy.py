"""The examples of deploy/ hold together: nginx and systemd take them, and names agree."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT, Settings
from tests.services import nginx
from tests.services.fixtures import required
from tests.services.launch import ServiceMissingError

#: It comes with other packages and without types.
yaml: Any = importlib.import_module("yaml")
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "nginx"
LOCATIONS = (RULES / "lipa-locations.conf").read_text()
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: What a stop of the server takes at the most with the settings as they are.
STOP_SECONDS = 14
_FRAME = """
pid {folder}/nginx.pid;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def _nginx_says(folder: Path, site: str) -> str:
    """Have nginx read a site's file with its snippets; return what it complains of."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    with required():
        if program is None:
            raise ServiceMissingError(nginx.MISSING)
    (folder / "snippets").mkdir()
    for name in ("lipa-locations.conf", "lipa-upstream.conf"):
        shutil.copy(RULES / name, folder / "snippets")
    (folder / "site.conf").write_text(_with_certificate(site, folder))
    (folder / "nginx.conf").write_text(_FRAME.format(folder=folder))
    command = [str(program), "-t", "-q", "-p", str(folder), "-e", f"{folder}/errors.log"]
    done = subprocess.run(
        [*command, "-c", str(folder / "nginx.conf")], capture_output=True, text=True, timeout=30
    )
    complaints = done.stderr.splitlines()
    # Somebody who is not root is told that it would not become another.
    return "\n".join(line for line in complaints if 'the "user" directive' not in line)


def _with_certificate(site: str, folder: Path) -> str:
    key = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/chain.pem"],
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert key.returncode == 0, key.stderr
    site = re.sub(r"ssl_certificate .*;", f"ssl_certificate {folder}/chain.pem;", site)
    return re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {folder}/key.pem;", site)


def test_nginx_takes_the_site_of_one_machine(tmp_path: Path) -> None:
    assert _nginx_says(tmp_path, (RULES / "lipa.conf").read_text()) == ""


def test_nginx_takes_the_site_of_the_containers(tmp_path: Path) -> None:
    site = (RULES / "compose.conf").read_text()
    # Names are known inside of compose only, and following them is newer than Debian's nginx.
    site = re.sub(r"server web\d:5000 resolve", "server 127.0.0.1:5000", site)
    assert _nginx_says(tmp_path, site) == ""


def test_nginx_passes_no_word_of_a_caller_s_about_their_address() -> None:
    for block in re.findall(r"^location .*?^}", LOCATIONS, re.MULTILINE | re.DOTALL):
        if "proxy_set_header" in block:
            # What a block sets replaces all that stands around it.
            assert "X-Forwarded-For $remote_addr;" in block
    assert "X-Forwarded-For $remote_addr;" in LOCATIONS.partition("location")[0]
    assert "proxy_add_x_forwarded_for" not in LOCATIONS


def test_nginx_gives_no_payment_to_a_second_process_and_writes_no_token_down() -> None:
    assert "non_idempotent" not in "".join(re.findall(r"^proxy_next.*", LOCATIONS, re.MULTILINE))
    assert re.search(r"^access_log off;", LOCATIONS, re.MULTILINE)
    assert re.search(r"^error_log stderr crit;", LOCATIONS, re.MULTILINE)


def test_nginx_waits_longer_for_an_answer_than_we_wait_for_daraja() -> None:
    read = re.search(r"^proxy_read_timeout (\d+)s;", LOCATIONS, re.MULTILINE)
    assert read
    assert int(read[1]) > Settings.model_fields["mpesa_timeout_seconds"].default + 4


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    with required():
        if program is None:
            raise ServiceMissingError("systemd-analyze is missing: sudo apt-get install systemd")
    # The shop is installed elsewhere here.
    place = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
    (tmp_path / unit.name).write_text(place)
    done = subprocess.run(
        [program, "verify", str(tmp_path / unit.name)], capture_output=True, text=True, timeout=60
    )
    assert [line for line in done.stderr.splitlines() if unit.stem in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_a_unit_comes_back_by_itself_is_nobody_and_has_time_to_stop(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert {"Restart=always", "User=lipa", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= {
        *lines
    }
    [seconds] = [int(line.partition("=")[2]) for line in lines if line.startswith("TimeoutStopSec")]
    assert seconds > (STOP_SECONDS if "web" in unit.name else 4)


def test_compose_asks_for_what_env_example_names_and_has_no_password_of_its_own(
    compose: dict[str, Any],
) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    named = set(re.findall(r"\$\{(\w+)", text))
    template = (ROOT / ".env.example").read_text()
    assert named == {"POSTGRES_PASSWORD", "TLS_FOLDER"}
    for name in named:
        assert re.search(rf"^{name}=$", template, re.MULTILINE), name
        assert re.findall(rf"\${{{name}(..)", text) == [":?"] * text.count(f"${{{name}")
    assert compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${")


def test_compose_sets_what_the_settings_know(compose: dict[str, Any]) -> None:
    environment = dict(compose["x-shop"]["environment"])
    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    assert environment["TRUSTED_PROXIES"] == "1"
    Settings(**{name.lower(): value for name, value in environment.items()}, _env_file=None)


def test_compose_opens_nothing_but_nginx_and_prepares_before_it_serves(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    for name in ("web1", "web2", "worker"):
        assert services[name]["depends_on"] == {
            "prepare": {"condition": "service_completed_successfully"}
        }
    for name in ("web1", "web2"):
        assert int(services[name]["stop_grace_period"].rstrip("s")) > STOP_SECONDS
        assert f"server {name}:5000 resolve" in (RULES / "compose.conf").read_text()
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            is_named = not source.startswith((".", "$"))
            assert is_named <= (source in compose["volumes"])
            assert not source.startswith(".") or (DEPLOY / source).is_file()


def test_compose_leaves_connections_over_in_postgresql(compose: dict[str, Any]) -> None:
    services = compose["services"]
    most = int(services["postgres"]["command"][-1].partition("=")[2])
    processes = 2 + services["worker"]["deploy"]["replicas"]
    assert processes * 30 < most, "20 in the pool of each and 10 above it"


def test_the_image_installs_by_hash_is_nobody_and_has_no_settings_in_it() -> None:
    lines = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.txt" in lines
    assert lines.index("USER lipa") < lines.index("CMD [")
    copied = re.findall(r"^COPY (\S+) ", lines, re.MULTILINE)
    assert all((ROOT / name).exists() for name in copied)
    assert {f"!{name}" for name in copied} | {"*", "**/__pycache__"} == set(
        (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    )
    assert 'CMD ["python", "run.py"]' in lines, "the signal to stop is for Python itself"
    assert "/api/health/ready" in lines
