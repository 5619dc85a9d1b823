"""What is left to do in an installation that is new: steps with their state, each done on a page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel import Locale
from flask import current_app, render_template, session, url_for
from flask_babel import get_locale, gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.evidence import LEAST_DEALS_IN_ALL
from tracking.storage import phone
from tracking.storage.config import Settings
from tracking.storage.models import (
    Answer,
    Call,
    Campaign,
    Cost,
    Deal,
    ImportRun,
    NumberAssignment,
    TrackingNumber,
)
from tracking.telephony import numbers, providers
from tracking.telephony.calls import PRACTICE
from tracking.web import pages

_BEGUN = "step"
_FIRST_CALL = ("company", "address", "telephone", "number", "material", "call")
_CALL_FILES = ("calls", "cdr")
# Where a step is done, and the pages whose forms can finish it.
_PLACES = {
    "company": ("web.company_settings", ("web.company_settings",)),
    "address": ("web.company_settings", ("web.company_settings",)),
    "telephone": ("web.phone_settings", ("web.phone_settings",)),
    "number": ("web.new_numbers", ("web.new_numbers",)),
    "material": ("web.new_campaign", ("web.give_number", "web.bulk_material")),
    "call": ("web.desk", ()),
    "history": ("web.import_list", ()),
    "deals": ("web.new_deal", ("web.new_deal",)),
    "cost": ("web.cost_list", ("web.cost_list",)),
    "ask": ("web.desk", ()),
}
STEPS = tuple(_PLACES)
"""The steps by name, in their order."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it is called, what it is for, what to press, and whether it is done."""

    name: str
    title: str
    text: str
    action: str
    done: bool
    allowed: bool
    is_next: bool


def done(opened: Session) -> dict[str, bool]:
    """Return of each step whether it is done, by what the database and the settings hold."""
    settings = pages.settings()

    def has(*wanted: Any) -> bool:
        return any(opened.scalar(query.limit(1)) is not None for query in wanted)

    live = tuple(providers.of_calls())
    ready = any(not provider.obstacle(settings) for provider in providers.of_calls().values())
    called = has(select(Call.id).where(Call.provider != PRACTICE))
    brought = ImportRun.kind.in_(_CALL_FILES), ImportRun.created + ImportRun.updated > 0
    return {
        "company": bool(settings.company),
        "address": settings.is_public,
        "telephone": called
        or (ready and numbers.always_ring(opened, live, settings.default_destination))
        or has(select(TrackingNumber.id).where(TrackingNumber.provider.not_in(live))),
        "number": has(select(TrackingNumber.id)),
        "material": has(select(NumberAssignment.id).where(NumberAssignment.ends_at.is_(None))),
        "call": called,
        "history": has(select(ImportRun.id).where(*brought)),
        "deals": has(select(Deal.id)),
        "cost": has(select(Cost.id)),
        "ask": has(select(Answer.id)),
    }


def left(opened: Session) -> tuple[int, int]:
    """Return how many steps are left, and how many there are."""
    state = done(opened)
    return len(state) - sum(state.values()), len(state)


def page(opened: Session) -> str:
    """Return the page of the steps."""
    session.pop(_BEGUN, None)
    state = done(opened)
    following = next((name for name in STEPS if not state[name]), None)
    words = _words(opened, state)
    steps = {name: Step(name, *words[name], state[name], _may(name), name == following) for name in STEPS}
    first = [steps[name] for name in _FIRST_CALL]
    rest = [step for name, step in steps.items() if name not in _FIRST_CALL]
    to_go = sum(not step.done for step in first)
    if to_go and state["call"]:
        lead = ngettext(
            "Calls are tracked. %(num)d step of the set-up is left.",
            "Calls are tracked. %(num)d steps of the set-up are left.",
            to_go,
        )
    elif to_go:
        lead = ngettext(
            "%(num)d step to your first tracked call.", "%(num)d steps to your first tracked call.", to_go
        )
    elif following:
        lead = gettext("Calls are tracked. Add what shows which advertising pays.")
    else:
        lead = gettext("Everything is set up.")
    return render_template(
        "decide/start.html",
        lead_sentence=lead,
        why=steps[following].text if following else "",
        first=first,
        rest=rest,
        all_done=sum(state.values()),
        refused=refused(),
        least_deals=LEAST_DEALS_IN_ALL,
        number=_number(opened) if state["material"] and not state["call"] else None,
    )


def begin(name: str) -> str:
    """Remember that a step was begun from the list, and return where it is done."""
    session[_BEGUN] = name
    place = url_for(_PLACES[name][0])
    if name == "material" and _has_campaigns():
        return url_for("web.campaign_list")
    return f"{place}#s-base_url" if name == "address" else place


def begun() -> str | None:
    """Return what the step that was begun from the list is called; None where none was."""
    name = session.get(_BEGUN)
    return _titles()[name] if name in _PLACES else None


def finishes(endpoint: str | None) -> bool:
    """Tell whether the form of a page has just finished the step that was begun from the list."""
    name = session.get(_BEGUN)
    if name not in _PLACES or endpoint not in _PLACES[name][1]:
        return False
    with pages.reading() as opened:
        return done(opened)[name]


def refused() -> tuple[datetime, str] | None:
    """Return when and why a provider's request was refused last, since the settings were changed."""
    found: dict[str, tuple[datetime, str]] = current_app.extensions["ringtrail"]["refused"]
    return max(found.values(), default=None)


def _has_campaigns() -> bool:
    with pages.reading() as opened:
        return opened.scalar(select(Campaign.id).limit(1)) is not None


def _may(name: str) -> bool:
    return pages.may(_PLACES[name][0])


def _number(opened: Session) -> str | None:
    held = select(TrackingNumber.number).join(TrackingNumber.assignments)
    return opened.scalar(held.where(NumberAssignment.ends_at.is_(None)).limit(1))


def _phones(settings: Settings) -> str:
    """Return which providers report calls, and where these ring."""
    ready = [name for name, each in providers.of_calls().items() if not each.obstacle(settings)]
    told = [providers.title_of(name) for name in ready]
    if settings.default_destination:
        told.append(phone.show(settings.default_destination).international)
    return " · ".join(told)


def _titles() -> dict[str, str]:
    return {
        "company": gettext("Company"),
        "address": gettext("Public address"),
        "telephone": gettext("Phone"),
        "number": gettext("Numbers"),
        "material": gettext("First asset"),
        "call": gettext("First call"),
        "history": gettext("Last year's calls"),
        "deals": gettext("Deals"),
        "cost": gettext("Cost"),
        "ask": gettext("Ask callers"),
    }


def _words(opened: Session, state: dict[str, bool]) -> dict[str, tuple[str, str, str]]:
    """Return of each step its title, what it is for, and what its button says."""
    settings = pages.settings()
    country = (get_locale() or Locale("en")).territories.get(settings.region, settings.region)
    told = " · ".join((settings.company, country, settings.currency, settings.timezone))
    material = gettext(
        "Next, give an asset its own tracking number, so you can see which calls it brings in."
    )
    assets = gettext("Open campaigns")
    if opened.scalar(select(Campaign.id).limit(1)) is None:
        assets = gettext("Add campaign")
        material = gettext(
            "Start by adding a campaign: a trade show, a catalogue or an ad whose results you want "
            "to measure."
        )
    if state["material"]:
        material = gettext("Give each ad that you want to measure its own number.")
    change = gettext("Edit")
    words = {
        "company": (
            told if state["company"] else gettext("Name, logo, country, currency and time zone."),
            gettext("Set the company"),
        ),
        "address": (
            settings.base_url
            if state["address"]
            else gettext("Where your phone provider and QR codes reach Ringtrail."),
            gettext("Set the address"),
        ),
        "telephone": (
            (state["telephone"] and _phones(settings))
            or gettext("Connect the provider of your numbers, or import the records of your phone system."),
            gettext("Connect"),
        ),
        "number": (
            gettext("The numbers that your phone provider gave you for tracking."),
            gettext("Add numbers"),
        ),
        "material": (material, assets),
        "call": (
            gettext("Call your tracking number from any phone. The call appears on the call desk."),
            gettext("Open the call desk"),
        ),
        "history": (
            gettext("Calls of last year from a file, so that trends begin at once."),
            gettext("Import calls"),
        ),
        "deals": (
            gettext("A deal that was won, or all of them from your CRM's file."),
            gettext("Add deal"),
        ),
        "cost": (
            gettext("What each campaign cost; one amount a year is enough to begin."),
            gettext("Add cost"),
        ),
        "ask": (
            gettext("On the call desk, log how callers heard about you; the number alone does not tell."),
            gettext("Open the call desk"),
        ),
    }
    titles = _titles()
    return {
        name: (titles[name], text, change if state[name] and name in _FIRST_CALL[:3] else action)
        for name, (text, action) in words.items()
    }
