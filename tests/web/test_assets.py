"""What the browser is given beside the pages: vendored files that are what they claim to be."""

import hashlib
import json
from pathlib import Path

import pytest
from flask import Flask

import tracking.web
from tests.web.people import enter

STATIC = Path(tracking.web.__file__).parent / "static"
MANIFEST = json.loads((STATIC / "vendor" / "manifest.json").read_text())


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_the_one_of_the_manifest(entry: dict[str, str]) -> None:
    content = (STATIC / "vendor" / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    name = entry["package"].removeprefix("@").replace("/", "-")
    assert (STATIC / "vendor" / "licences" / f"{name}.txt").read_text().strip()


def test_no_vendored_file_is_missing_in_the_manifest() -> None:
    files = {path.name for path in (STATIC / "vendor").iterdir() if path.is_file()} - {"manifest.json"}
    assert files == {entry["file"] for entry in MANIFEST}


def test_a_static_file_is_kept_for_ever_under_an_address_that_names_its_content(office: Flask) -> None:
    client = enter(office.test_client(), "viewer")
    page = client.get("/calls").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    with client.get(address) as named, client.get(address.partition("?")[0]) as plain:
        assert "immutable" in named.headers["Cache-Control"]
        assert "immutable" not in plain.headers.get("Cache-Control", "")


def test_a_page_without_charts_weighs_less_than_200_kilobytes(office: Flask) -> None:
    client = enter(office.test_client(), "viewer")
    page = client.get("/calls").text
    weight = len(page.encode())
    links = {part.split('"')[0].partition("#")[0] for part in page.split('"/assets/')[1:]}
    assert len(links) >= 4
    for link in links:
        with client.get(f"/assets/{link}") as answer:
            weight += len(answer.data)
    assert weight < 200_000
