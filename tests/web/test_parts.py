"""Pages are composed of parts: none has a component's class, an inline style or a part it did not import."""

import re
from pathlib import Path

import pytest
from flask import Flask

import tracking.web

TEMPLATES = Path(tracking.web.__file__).parent / "templates"
PAGES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if path.name not in ("_parts.html", "_scale.html", "_menu.html", "base.html")
)
# Where a component is made; pages call the part that makes it.
COMPONENTS = {
    "btn", "card", "card-header", "card-title", "card-actions", "table", "form-control", "form-select",
    "form-check-input", "rt-v", "rt-tile", "rt-fold", "rt-chip", "rt-kpis", "rt-cover", "rt-meter", "rt-list",
    "rt-link", "badge", "alert",
}  # fmt: skip


def parts(name: str) -> set[str]:
    """Return the macros that a template defines."""
    return set(re.findall(r"\{% macro (\w+)\(", (TEMPLATES / name).read_text()))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_markup_of_its_own_for_what_a_part_does(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    classes = {each for found in re.findall(r'class="([^"{]*)', text) for each in found.split()}
    # Fields that Flask-Security makes are told their class by the one template that asks them.
    made = {"form-control", "form-check-input"} if name.startswith("security/") else set()
    assert classes & COMPONENTS <= made | ({"rt-chip"} if name == "decide/_filters.html" else set())
    assert " style=" not in text


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_page_imports_every_part_that_it_uses_and_no_other(office: Flask) -> None:
    known = parts("_parts.html") | parts("decide/_filters.html")
    for name in PAGES:
        if name.startswith("security/"):
            continue  # their forms have fields of the same name
        text = (TEMPLATES / name).read_text()
        office.jinja_env.parse(text)
        called = {part for part in known if re.search(rf"(?<!\.)\b{part}\(", text)}
        imported = {
            part.strip()
            for line in re.findall(r"import ([\w, ]+) with context", text)
            for part in line.split(",")
        }
        needless = {part for part in imported if len(re.findall(rf"\b{part}\b", text)) < 2}
        local = parts(name)
        assert (called - imported - local, needless) == (set(), set()), name
