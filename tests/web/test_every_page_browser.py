"""Every page of the application, as the map of addresses lists them, keeps the rules in light and dark."""

import re
from collections.abc import Callable
from datetime import date, timedelta

from flask import Flask
from playwright.sync_api import Page, ViewportSize, expect
from sqlalchemy import select

from simulator.beliefs import ANYWAY, NOTHING
from simulator.families import EFFECTIVE
from tests.cast import today
from tests.web.accessibility import dragged, findings, reflows, too_small, unseen_focus
from tests.web.conftest import Service
from tracking import clock
from tracking.access import jobs
from tracking.app import create_app
from tracking.demo import filling
from tracking.records import annotations, answers, experiments, links, sites, web_forms
from tracking.records.annotations import Event, Reading
from tracking.records.experiments import Plan
from tracking.records.web_forms import Post
from tracking.reporting import schedules
from tracking.reporting.simulations import Archive
from tracking.storage import db
from tracking.storage.models import AdMaterial, Campaign, Contact, Erasure, ImportRun
from tracking.storage.vocabulary import JobState, Outcome
from tracking.telephony import numbers as inventory
from tracking.telephony import pools

Open = Callable[..., Page]
# Parts that other pages fetch, what is switched off, and what is no page but a file.
PARTS = {
    "/first-call",
    "/bell",
    "/figures/ready",
    "/desk/<int:call_id>/saved",
    "/numbers/<int:number_id>/calls",
    "/tf-rescue",
    "/tf-select",
}
FILES = re.compile(r"\.(csv|pdf|svg|xlsx|toml)$|/picture$|/report/<form>$|static|^/assets")
ROWS = """Company,Deal name,Amount,Currency,Close date,Stage
Borealis,Pump,1000,EUR,2026-01-02,won
Cobalt,Valve,a lot,EUR,2026-01-02,won
"""
SCORE = {
    "share_error": 0.1, "credited": 0.9, "caused": 0.5, "rank_agreement": None, "log_error": None,
    "move": ("search_ads", "email"), "regret": 0.02, "held": 1,
}  # fmt: skip
MARKET = {
    "scenario": "supplier", "fitted": None, "currency": "EUR", "accounts": 100, "days": 365, "seed": 1,
    "orders": 40, "margin_minor": 100_000_00, "anyway_minor": 50_000_00,
    "unavailable": {"markov": "no paths"},
    "campaigns": [
        {
            "campaign": name, "channel": "email", "spend_minor": 100_00, "margin_minor": 200_00, "needed": 3,
            "share": 0.5, "roi": 1.0,
            "models": {model: {"share": 0.4, "roi": -0.5} for model in ("linear", "hybrid")},
        }
        for name in ("search_ads", "email")
    ],
    "models": [{"model": name, "total_variation": 0.2, **SCORE} for name in ("linear", "hybrid")],
}  # fmt: skip
FIT = {
    "accounts": 100, "seed": 1, "days": 90, "runs": 20,
    "estimates": {"phone": (0.2, 0.1), "decision": (0.0, None)}, "unidentified": ["decision"],
    "tied": [("phone", "decision")], "fitted": {"phone_share": (0.5, 0.6, 1.0)}, "left_out": ["qualify"],
    "held_out": {"visit_share": (0.5, 0.1, -4.2), "talk_median": (None, 0.1, None)}, "won": 60,
    "values": [{"key": "needs.order.value_minor", "value": "90000", "origin": "data", "how": "median"}],
}  # fmt: skip
TRIAL = {
    "moves": [["mailing", "adverts"], ["adverts", "mailing"]],
    "amount_minor": 50_000, "margin_minor": 9_000_000,
    "by_model": {"linear": ["mailing", "adverts"], "markov": None}, "fixed": ["fair"], "small": ["banners"],
    "untracked": ["referrals"],
    "cells": [
        {
            "family": family, "anyway": anyway, "nothing": nothing, "finding": finding, "reached": 0.5,
            "gains": [20_000 + 9_000 * number, -30_000 - 9_000 * number],
        }
        for family in EFFECTIVE for number, anyway in enumerate(ANYWAY)
        for nothing in NOTHING for finding in (True, False)
    ],
}  # fmt: skip


def furnish(service: Service) -> dict[str, str]:
    """Fill the installation, and return what stands for a record in an address."""
    filling.fill(service.engine, clock.now(), accounts=25)
    archive = Archive(service.settings.data_dir)
    market = {"token": "a" * 32, "accounts": 100, "days": 365, "seed": 1}
    archive.put("a" * 32, MARKET)
    fit = {"token": "b" * 32, "accounts": 100, "seed": 1}
    archive.put("b" * 32, FIT, "name = 'x'")
    tried = {"token": "c" * 32, "accounts": None, "seed": 0}
    archive.put("c" * 32, FIT | {"trial": TRIAL}, "name = 'x'")
    numbers = []
    with db.transaction(service.engine) as session:
        for kind, arguments in (("simulate", market), ("calibrate", fit), ("decide", tried)):
            job = jobs.enqueue(session, kind, kind, arguments, by="anna@acme.example", at=clock.now())
            job.state, job.finished_at = JobState.done, clock.now()
            session.flush()
            numbers.append(str(job.id))
        counts = dict.fromkeys(("created", "updated", "skipped", "refused"), 0)
        session.add(ImportRun(kind="deals", file_name="deals.csv", finished_at=clock.now(), **counts))
        annotations.save_event(session, Event(title="A competitor cut prices", starts_on=date(2026, 3, 5)))
        annotations.save_reading(
            session, Reading(name="Customer satisfaction", day=date(2026, 3, 5), value=4.2, unit="of 5")
        )
        plan = Plan(
            name="Ads off",
            starts_on=today() - timedelta(weeks=9),
            weeks=8,
            campaign=session.scalars(select(Campaign).order_by(Campaign.id)).first(),
        )
        row = experiments.save(session, plan, by="anna@acme.example", at=clock.now())
        experiments.start(session, row, plan.starts_on)
        monthly = schedules.Wanted(
            name="Monthly", recipients=["anna@acme.example"], cadence="monthly", language="en"
        )
        erased = {"by": "anna@acme.example", "removed": {"calls": 1}, "hashes": []}
        session.add(Erasure(receipt="1", at=clock.now(), **erased))
        schedules.save(session, monthly, by="anna@acme.example", today=date(2026, 3, 5))
        piece = session.scalars(select(AdMaterial).order_by(AdMaterial.id)).first()
        person = session.get_one(Contact, 1)
        assert piece is not None
        links.add(
            session, piece, "https://www.acme.example", slug="pumps", at=clock.now(), by="anna@acme.example"
        )
        for words in ("a colleague at the fair", "the exhibiton", "no idea"):
            answers.log(session, Outcome.answered, asked_at=clock.now(), contact=person, verbatim=words)
        site = sites.add(
            session, "Acme", at=clock.now(), origins=["https://www.acme.example"], number="+46701740690"
        )
        row = inventory.add(session, "+46701740699", at=clock.now(), provider="twilio")
        pools.put(session, site, row, at=clock.now())
        sites.count(session, site.id, clock.now(), {"views": 9, "swapped": 9, "leased": 5, "overflow": 3})
        told = {"email": "ada@borealis.example", "company": "Borealis", "message": "Twenty pumps"}
        for key, signs in (("1", [web_forms.TRAP]), ("2", [])):
            post = Post(site_id=site.id, post_key=key, at=clock.now(), page="acme.example/contact", told=told,
                        others={"Product": "P-200"}, came={}, token=None, signs=signs)  # fmt: skip
            web_forms.keep(session, site, post, region="SE")
    return {"simulation": numbers[0], "fit": numbers[1]}


def addresses(app: Flask) -> list[str]:
    """Return the address of every page for people."""
    found = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    pages = {rule.rule for rule in found if rule.endpoint.startswith(("web.", "security."))}
    return sorted(rule for rule in pages - PARTS if not FILES.search(rule))


# A chart names its table, which is on the page and has a row for each name that the chart draws.
_CHARTS_ALONE = """() => [...document.querySelectorAll(".chart")].filter((chart) => {
  const table = document.getElementById(chart.getAttribute("aria-details"));
  if (table?.tagName !== "TABLE" || table.querySelectorAll("tbody tr").length === 0) return true;
  const told = table.textContent.toLowerCase();
  const spec = JSON.parse(document.getElementById(chart.dataset.spec).textContent);
  const names = Object.values(spec.datasets).flat().flatMap((row) => [row.campaign, row.series]);
  return names.some((name) => name && !told.includes(name.toLowerCase()));
}).map((chart) => chart.dataset.spec)"""


# Pages that a manager compares figures on: all of them at once, on a desk.
FITTING = ("/", "/roi", "/roi/advice", "/simulator/which-model")
_SIDEWAYS = "[...document.querySelectorAll('.scroll')].some((each) => each.scrollWidth > each.clientWidth)"


DESK: ViewportSize = {"width": 1280, "height": 800}
# Around every page alike, and most of what a small one has.
MENU = ".rt-side"
# Rows and choices that are like those before them take most of the time and tell nothing.
_THIN = """() => {
  for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(8, -2).forEach(e => e.remove());
  for (const field of document.querySelectorAll("select, datalist"))
    [...field.querySelectorAll("option:not(:checked)")].slice(3).forEach(e => e.remove());
}"""


def broken(page: Page, leaving_out: str) -> list[str]:
    """Return which rules a page breaks: in light all of axe, in dark its colours, and what axe cannot see."""
    if page.locator(".chart").count():
        expect(page.locator(".chart svg").first).to_be_visible()
    # Colours that are still changing would be measured halfway.
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true; })")
    told = [f"chart without its table: {each}" for each in page.evaluate(_CHARTS_ALONE)]
    if not reflows(page):
        told.append("needs sideways scrolling at 320 pixels")
    page.set_viewport_size(DESK)
    page.evaluate(_THIN)
    told += findings(page, leaving_out=leaving_out)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    told += [f"dark: {each}" for each in findings(page, ["color-contrast"], leaving_out)]
    told += [f"focus unseen: {each}" for each in unseen_focus(page)]
    told += [f"smaller than 24 pixels: {each}" for each in too_small(page)]
    told += [f"only by dragging: {each}" for each in dragged(page)]
    return told


def test_every_page_keeps_the_rules_of_accessibility_in_light_and_dark(
    open_page: Open, service: Service
) -> None:
    page = open_page("administrator", "/imports")
    # The first look at a report after the data changed works it out, which takes its time on a busy machine.
    page.set_default_timeout(120_000)
    known = furnish(service)
    app = create_app(service.settings, service.engine)
    page.locator("input[type=file]").set_input_files(
        {"name": "deals.csv", "mimeType": "text/csv", "buffer": ROWS.encode()}
    )
    page.get_by_role("button", name="Upload").press("Enter")
    page.wait_for_url(re.compile(r"/imports/[0-9a-f]{32}"))
    token = page.url.rsplit("/", 1)[-1]
    problems: dict[str, list[str]] = {}
    paths = []
    for rule in addresses(app):
        told = {"<token>": token, "/runs/<int:job_id>": f"/runs/{known['simulation']}"}
        path = rule
        for part, value in told.items():
            path = path.replace(part, value)
        paths.append(re.sub(r"<[^>]+>", "1", path))
    for path in [*paths, f"/simulator/runs/{known['fit']}", "/companies/1/merge?q=a"]:
        page.set_viewport_size(DESK)
        page.emulate_media(color_scheme="light")
        answer = page.goto(path)
        assert answer is not None
        # What is asked for only without a session leads on; a second factor has not been begun.
        # So does who follows a short link that is none: to a page with another status.
        if answer.status != 200 and "security" not in path and not path.startswith("/l/"):
            problems.setdefault(str(answer.status), []).append(path)
            continue
        if path in FITTING and page.evaluate(_SIDEWAYS):
            problems.setdefault("scrolls sideways at 1280 pixels", []).append(path)
        for told in broken(page, MENU if path != "/" else ""):
            problems.setdefault(told, []).append(path)
    assert len(paths) > 40
    assert not problems, "\n".join(f"{told}: {', '.join(places[:4])}" for told, places in problems.items())
    app.extensions["ringtrail"]["inbox"].close()


def test_a_simulation_is_started_watched_and_stopped_with_the_keyboard(open_page: Open) -> None:
    page = open_page("marketer", "/simulator")
    page.get_by_label("slow-drip").focus()
    page.keyboard.press("Space")
    page.get_by_label("Buying companies").first.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("5000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Simulate slow-drip")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Job stopped")).to_be_visible()
    page.goto("/simulator")
    expect(page.get_by_role("row", name="Simulate slow-drip stopped")).to_be_visible()
