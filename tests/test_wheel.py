"""What is built for others to install holds everything and serves."""

import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import KEY
from tests.web.conftest import wait_for

ROOT = Path(__file__).parents[1]
PACKAGES = ("tracking", "attribution", "simulator", "reports")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("ringtrail-*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for kind in (".html", ".js", ".mo", ".toml", ".typ", ".otf", ".csv", ".mako", "py.typed"):
        assert any(name.endswith(kind) for name in wanted), kind
    assert wanted - held == set()
    assert {name.partition("/")[0] for name in held if not name.startswith("ringtrail-")} == set(PACKAGES)


def test_what_is_installed_from_it_serves_the_demo_where_nothing_was(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of the tests' environment; its code is the wheel's."""
    site, data = tmp_path / "site", tmp_path / "data"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, "--target", site, wheel], check=True, capture_output=True)
    told = {"PYTHONPATH": str(site), "RINGTRAIL_DATA_DIR": str(data), "RINGTRAIL_KEY": KEY}
    environment = os.environ | told

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert Path(run("-c", "import tracking; print(tracking.__file__)").strip()).is_relative_to(site)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "tracking", "serve", "--demo", "--port", str(port)]
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_for(url, server, tmp_path / "log")
        with urlopen(f"{url}/sign-in", timeout=120) as answer:
            assert "<h1" in answer.read().decode()
        assert "Loaded Acme Pumps: 10 campaigns" in (tmp_path / "log").read_text()
    finally:
        server.terminate()
        server.wait(600)
    assert "leaked" not in (tmp_path / "log").read_text(), "stopping it is no fault"
