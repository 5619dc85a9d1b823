"""What deploy/ holds works: nginx of Debian before a real service, systemd's own check of the units."""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.client import HTTPSConnection
from ipaddress import ip_network
from pathlib import Path
from socket import create_server
from urllib.parse import urlencode

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask, request
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, moment
from tests.test_server import PATIENCE_S, connect, running
from tests.twilio_requests import BASE, incoming, sid, signature, with_twilio
from tracking import clock
from tracking.app import create_app
from tracking.collector import form_snippet, snippet
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Site
from tracking.telephony import numbers

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
NAME = BASE.removeprefix("https://")
TOKEN = "a token of the monitor"


def certificate(folder: Path) -> Path:
    """Write a certificate for the public name, and its key, into a folder; the certificate."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]),
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, *plain))
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    return folder / "fullchain.pem"


def free_port() -> int:
    with closing(create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def behind_nginx(settings: Settings, engine: Engine, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Acme's service behind nginx as deploy/nginx.conf sets it up; the port of nginx, and its certificate."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    more = {"trusted_proxies": (ip_network("127.0.0.1"),), "metrics_token": SecretStr(TOKEN)}
    app: Flask = create_app(with_twilio(settings).model_copy(update=more), engine)

    @app.get("/who")
    def who() -> str:
        return f"{request.remote_addr} {request.scheme}"

    port, plain = free_port(), free_port()
    with running(app, tmp_path) as service:
        site = (DEPLOY / "nginx.conf").read_text()
        for ours, here in (
            ("server 127.0.0.1:8000", f"server 127.0.0.1:{service}"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("listen 80", f"listen 127.0.0.1:{plain}"),
            ("/etc/ssl/ringtrail", str(tmp_path)),
        ):
            assert ours in site
            site = site.replace(ours, here)
        told = certificate(tmp_path)
        folders = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole = (
            f"daemon off;\npid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{site}}}\n"
        )
        (tmp_path / "nginx.conf").write_text(whole)
        command = [
            program,
            "-e",
            str(tmp_path / "errors"),
            "-c",
            str(tmp_path / "nginx.conf"),
            "-p",
            str(tmp_path),
        ]
        process = subprocess.Popen(command)
        try:
            while True:
                assert process.poll() is None, (tmp_path / "errors").read_text()
                try:
                    connect(port).close()
                    break
                except ConnectionRefusedError:
                    continue
            yield port, told
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
    app.extensions["ringtrail"]["inbox"].close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_behind_nginx_calls_ring_and_clients_are_who_they_are(behind_nginx: tuple[int, Path]) -> None:
    port, told = behind_nginx
    trust = ssl.create_default_context(cafile=str(told))

    def ask(method: str, path: str, body: str | None = None, **head: str) -> tuple[int, str]:
        # The certificate is for the public name, which leads to nginx on this machine.
        line = HTTPSConnection(NAME, port, timeout=PATIENCE_S, context=trust)
        line.sock = trust.wrap_socket(connect(port), server_hostname=NAME)
        line.request(method, path, body, {"Host": NAME} | {k.replace("_", "-"): v for k, v in head.items()})
        answer = line.getresponse()
        found = answer.status, answer.read().decode()
        line.close()
        return found

    for call in range(3):
        fields = incoming(sid(call))
        status, answer = ask(
            "POST",
            "/providers/twilio/voice",
            urlencode(fields),
            X_Twilio_Signature=signature(fields, endpoint="voice"),
            Content_Type="application/x-www-form-urlencoded",
        )
        assert (status, ACME_DESK in answer) == (200, True)
    assert ask("POST", "/providers/twilio/voice", "a=b", X_Twilio_Signature="forged")[0] == 403
    claimed = {
        "X_Forwarded_For": "203.0.113.9",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Host": "evil.example",
    }
    assert ask("GET", "/who", **claimed) == (200, "127.0.0.1 https")
    assert ask("GET", "/who", Host="evil.example")[0] == 400
    assert ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404, "only within the house"
    assert ask("GET", "/livez")[0] == 200


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    names = ("ringtrail.socket", "ringtrail.service")
    for name in names:
        unit = (DEPLOY / name).read_text()
        (tmp_path / name).write_text(unit.replace("/opt/ringtrail/.venv/bin/ringtrail", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in found.stderr.splitlines() if "ringtrail" in line] == []


def test_the_image_and_its_services_name_what_is_there() -> None:
    steps = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    for step in steps:
        if step.startswith("COPY ") and "--from" not in step:
            for source in step.split()[1:-1]:
                assert (DEPLOY.parent / source).exists(), step
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services, name


# What the plugin calls of WordPress; then the page's end as a visitor gets it.
WORDPRESS = """<?php
define('ABSPATH', '/');
$hooks = [];
function add_action($name, $call) { global $hooks; $hooks[$name] = $call; }
function get_option($name, $else) { return stream_get_contents(STDIN); }
function esc_attr($text) { return htmlspecialchars($text, ENT_QUOTES); }
require $argv[1];
$hooks['wp_footer']();
"""


@pytest.mark.skipif(shutil.which("php") is None and not os.environ.get("CI"), reason="needs php")
def test_the_wordpress_plugin_writes_the_snippets_and_nothing_else(tmp_path: Path) -> None:
    plugin, stage = DEPLOY / "wordpress" / "ringtrail" / "ringtrail.php", tmp_path / "page.php"
    stage.write_text(WORDPRESS)

    def page(pasted: str) -> str:
        run = ["php", "-d", "display_errors=stderr", str(stage), str(plugin)]
        done = subprocess.run(run, input=pasted, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    site = Site(key="0123456789ab", number=CATALOGUE_NUMBER)
    swap, forms = snippet(site, BASE), form_snippet(site, BASE)
    assert subprocess.run(["php", "-l", str(plugin)], capture_output=True, check=True).returncode == 0
    for pasted in (swap, forms, f"{swap}\n{forms}\n"):
        wanted = [set(re.findall(r'[a-z-]+="[^"]*"', tag)) for tag in pasted.split("</script>")[:-1]]
        told = page(pasted)
        assert [set(re.findall(r'[a-z-]+="[^"]*"', tag)) for tag in told.splitlines()] == wanted
        assert told.count(" defer></script>") == len(wanted)
    stranger = swap.replace(f"{BASE}/c/", "https://elsewhere.example/x/")
    for pasted in ("", stranger, f"{swap}{stranger}", f"{swap}<b>", swap.replace("sha384-", "sha1-")):
        assert page(pasted) == ""
