"""What things are called in the language of the page: models, stages, states, kinds, fields, lines."""

from collections.abc import Mapping
from typing import Any

from babel.dates import get_day_names, get_month_names
from babel.numbers import get_decimal_symbol, get_group_symbol, get_minus_sign_symbol
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _

from attribution import UNATTRIBUTED
from reports.parts import Unit
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from tracking.language import channels
from tracking.storage import phone
from tracking.storage.config import Settings
from tracking.storage.models import Answer
from tracking.storage.vocabulary import CallState, JobState, LeadStatus, Outcome, Stage, TouchKind

_API = "token "
"""What stands before the name of a token where a program has done something."""

# Said when they are shown, in the language of that page, and only those that are.
_MODELS: Mapping[str, str] = {
    "first-touch": _("first-touch"),
    "last-touch": _("last-touch"),
    "last-non-direct": _("last-non-direct"),
    "linear": _("linear"),
    "position-based": _("position-based"),
    "u-shaped": _("u-shaped"),
    "w-shaped": _("w-shaped"),
    "full-path": _("full-path"),
    "j-shaped": _("j-shaped"),
    "inverse-j": _("inverse-j"),
    "time-decay": _("time-decay"),
    "custom": _("custom"),
    "markov": _("markov"),
    "shapley": _("shapley"),
    "shapley-coalitions": _("shapley-coalitions"),
    "self-reported": _("self-reported"),
    "hybrid": _("hybrid"),
}
_STAGES: Mapping[str, str] = {
    "lead": _("lead"),
    "qualified": _("qualified"),
    "opportunity": _("opportunity"),
    "won": _("won"),
    "lost": _("lost"),
}
_TOUCHES: Mapping[str, str] = {
    "call": _("call"),
    "visit": _("visit"),
    "form": _("form"),
    "message": _("message"),
    "event": _("event"),
    "answer": _("answer"),
}
_MEASURES: Mapping[str, str] = {
    "calls": _("calls"),
    "answered calls": _("answered calls"),
    "leads": _("leads"),
    "qualified leads": _("qualified leads"),
    "customers": _("customers"),
    "deals": _("deals"),
}


def model_word(name: str) -> str:
    """Return what an attribution model is called."""
    return str(_MODELS.get(name, name))


def company_name(name: str | None) -> str:
    """Return what a company is called, also one of which only a number is known."""
    return phone.without_number(name) or str(gettext("Unnamed company"))


def contact_name(name: str | None) -> str:
    """Return what a person is called, also one whose name nobody knows."""
    return phone.without_number(name) or str(gettext("Unnamed contact"))


def caller_name(name: str | None) -> str:
    """Return who called, as far as known: the company, the person or what the provider told."""
    return phone.without_number(name) or str(gettext("Unknown caller"))


def stage_word(stage: str) -> str:
    """Return what a stage of a deal is called."""
    return str(_STAGES.get(stage, stage))


def touch_word(kind: str) -> str:
    """Return what a kind of touch is called."""
    return str(_TOUCHES.get(kind) or gettext("other"))


def measure_word(measure: str) -> str:
    """Return what a target is of: one of ours, or an indicator by the name that people gave it."""
    return str(_MEASURES.get(measure.strip().lower().replace("_", " "), measure))


_CLICK_IDS = ("gclid", "gbraid", "wbraid", "msclkid", "yclid", "li_fat_id", "ttclid", "ctwa_clid", "fbclid")


def column_words() -> dict[str, str]:
    """Return what the columns of imported files are called, by the fields that they are read as."""
    return {
        "account_id": gettext("company: ID"),
        "amount": gettext("amount"),
        "asked": gettext("asked (yes, no, would not say)"),
        "asked_by": gettext("asked by"),
        "call_id": gettext("call: ID"),
        "caller": gettext("caller's number"),
        "caller_name": gettext("caller's name"),
        "campaign": gettext("campaign"),
        "category": gettext("category"),
        "channel": gettext("channel"),
        "closed_at": gettext("close date"),
        "company": gettext("company"),
        "contact_id": gettext("contact: ID"),
        "cost_id": gettext("cost: ID"),
        "currency": gettext("currency"),
        "deal_id": gettext("deal: ID"),
        "dialled": gettext("number dialled"),
        "direct": gettext("direct: yes or no"),
        "direction": gettext("direction: in, out or internal"),
        "domain": gettext("company: website domain"),
        "duration_s": gettext("duration (seconds)"),
        "email": gettext("email"),
        "expected_amount": gettext("amount expected"),
        "heard_campaign": gettext("answer: campaign"),
        "heard_channel": gettext("answer: channel"),
        "heard_from": gettext("answer, in the caller's words"),
        "hourly_rate": gettext("rate per hour"),
        "hours": gettext("hours"),
        "kind": gettext("kind of touch"),
        "label": gettext("visits: what the report is by"),
        "landing_page": gettext("landing page"),
        "last_day": gettext("period: last day"),
        "lead_at": gettext("lead since"),
        "lead_status": gettext("qualified: yes or no"),
        "lost_at": gettext("lost on"),
        "margin": gettext("margin"),
        "material": gettext("asset"),
        "mobile": gettext("mobile number"),
        "name": gettext("deal name"),
        "note": gettext("note"),
        "occurred_at": gettext("date and time"),
        "occurred_time": gettext("date: time of day"),
        "opportunity_at": gettext("opportunity since"),
        "outcome": gettext("won, lost or open"),
        "period": gettext("period: day, month or year"),
        "period_end": gettext("period: end (not included)"),
        "period_start": gettext("period: first day"),
        "person": gettext("person"),
        "person_id": gettext("person: ID"),
        "phone": gettext("phone number"),
        "provider": gettext("phone system"),
        "qualified_at": gettext("qualified since"),
        "referrer": gettext("referrer"),
        "rt": gettext("campaign: ID in the address (rt)"),
        "site": gettext("website"),
        "source": gettext("original source (HubSpot)"),
        "source_medium": gettext("source / medium"),
        "stage": gettext("stage"),
        "started_at": gettext("call time"),
        "started_time": gettext("call time: time of day"),
        "status": gettext("call outcome"),
        "tags": gettext("tags"),
        "talk_s": gettext("talk time (seconds)"),
        "touch_id": gettext("touch: ID"),
        "utm_campaign": gettext("UTM campaign"),
        "utm_medium": gettext("UTM medium"),
        "utm_source": gettext("UTM source"),
        "visitors": gettext("visitors"),
        "visits": gettext("visits"),
        "value": gettext("value"),
    } | {name: gettext("click ID: %(name)s", name=name) for name in _CLICK_IDS}


def field_words() -> dict[str, str]:
    """Return what fields are called on pages, by the names that refusals give them."""
    return {
        "ad_material": gettext("Asset"),
        "amount": gettext("Amount"),
        "amount_minor": gettext("Amount"),
        "asked": gettext("Asked"),
        "asked_at": gettext("Asked at"),
        "budget": gettext("Budget"),
        "budget_minor": gettext("Budget"),
        "call": gettext("Call"),
        "caller": gettext("Caller's number"),
        "caller_name": gettext("Caller's name"),
        "campaign": gettext("Campaign"),
        "category": gettext("Category"),
        "channel": gettext("Channel"),
        "closed_at": gettext("Close date"),
        "company": gettext("Company"),
        "contact": gettext("Contact"),
        "currency": gettext("Currency"),
        "day": gettext("Day"),
        "destination": gettext("Destination"),
        "dialled": gettext("Number called"),
        "direction": gettext("Direction"),
        "do": gettext("Action"),
        "edition": gettext("Edition"),
        "email": gettext("Email"),
        "ends_at": gettext("End"),
        "ends_on": gettext("Last day"),
        "expires_at": gettext("Last day"),
        "expires_on": gettext("Last day"),
        "external_id": gettext("External ID"),
        "file": gettext("File"),
        "first": gettext("First day"),
        "from": gettext("From"),
        "heard_campaign": gettext("Campaign the caller named"),
        "heard_from": gettext("Heard about us from"),
        "hourly_rate": gettext("Hourly rate"),
        "hours": gettext("Hours"),
        "into": gettext("Into"),
        "kind": gettext("Kind"),
        "label": gettext("Name"),
        "language": gettext("Language"),
        "last": gettext("Last day"),
        "last_day": gettext("Last day"),
        "lead_status": gettext("Lead status"),
        "lookback": gettext("Lookback window"),
        "mail": gettext("Email"),
        "mapping": gettext("Columns"),
        "margin_minor": gettext("Margin"),
        "medium": gettext("Medium"),
        "minutes": gettext("Talk time (minutes)"),
        "model": gettext("Model"),
        "name": gettext("Name"),
        "names": gettext("Names"),
        "note": gettext("Note"),
        "number": gettext("Number"),
        "numbers": gettext("Numbers"),
        "objective": gettext("Objective"),
        "path": gettext("Page"),
        "period_end": gettext("Last day"),
        "picture": gettext("Picture"),
        "print_run": gettext("Print run"),
        "provider": gettext("Provider"),
        "rate": gettext("Rate"),
        "returns": gettext("Returns"),
        "role": gettext("Role"),
        "row": gettext("Row"),
        "scopes": gettext("Scopes"),
        "smtp_url": gettext("Email server"),
        "source": gettext("Source"),
        "source_key": gettext("External ID"),
        "stage": gettext("Stage"),
        "started_at": gettext("Call time"),
        "starts_on": gettext("First day"),
        "status": gettext("Status"),
        "tags": gettext("Tags"),
        "targets": gettext("Targets"),
        "theme": gettext("Theme"),
        "timezone": gettext("Time zone"),
        "title": gettext("Event"),
        "to": gettext("To"),
        "unit": gettext("Unit"),
        "value": gettext("Value"),
        "value_minor": gettext("Value"),
        "verbatim": gettext("Caller's own words"),
        "went": gettext("Outcome"),
        "years": gettext("Years"),
    }


def line_words() -> dict[str, str]:
    """Return what lines in brackets are called."""
    return {
        TOTAL: gettext("Total"),
        UNKNOWN: gettext("Unknown source"),
        OVERHEAD: gettext("Overhead"),
        UNATTRIBUTED: gettext("Unattributed"),
    }


def chart_words() -> dict[str, str]:
    """Return the words that charts use."""
    return {name: str(word) for name, word in _MODELS.items()} | {
        "Campaign": gettext("Campaign"),
        "Model": gettext("Model"),
        "ROI": gettext("ROI"),
        "Revenue": gettext("Revenue"),
        "First orders so far": gettext("First orders so far"),
        "Still expected": gettext("Still expected"),
        "from": gettext("from"),
        "to": gettext("to"),
        "value": gettext("value"),
        "series": gettext("series"),
        "what happened": gettext("event"),
    }


def chart_locale() -> dict[str, Any]:
    """Return how charts write numbers and days in the user's language."""
    locale = get_locale()
    days, short_days = get_day_names("wide", locale=locale), get_day_names("abbreviated", locale=locale)
    months = get_month_names("wide", "stand-alone", locale)
    short = get_month_names("abbreviated", "stand-alone", locale)
    week = (6, 0, 1, 2, 3, 4, 5)
    return {
        "number": {
            "decimal": get_decimal_symbol(locale),
            "thousands": get_group_symbol(locale),
            "grouping": [3],
            "currency": ["", ""],
            "percent": locale.percent_formats[None].pattern.rpartition("0")[2],
            "minus": get_minus_sign_symbol(locale),
        },
        "time": {
            "dateTime": "%Y-%m-%d %H:%M",
            "date": "%Y-%m-%d",
            "time": "%H:%M",
            "periods": ["", ""],
            "days": [days[d] for d in week],
            "shortDays": [short_days[d] for d in week],
            "months": [months[m] for m in range(1, 13)],
            "shortMonths": [short[m] for m in range(1, 13)],
        },
    }


def call_state_words() -> list[tuple[str, str]]:
    """Return the states of a call with their names."""
    return [
        (CallState.ringing, gettext("ringing")),
        (CallState.answered, gettext("on the line")),
        (CallState.completed, gettext("answered")),
        (CallState.missed, gettext("missed")),
        (CallState.voicemail, gettext("voicemail")),
        (CallState.unreported, gettext("end not reported")),
    ]


def judgement_words() -> list[tuple[str, str]]:
    """Return the judgements of a call with their names."""
    return [
        (LeadStatus.good_lead, gettext("qualified")),
        (LeadStatus.not_a_lead, gettext("not a lead")),
    ]


def answer_words(answer: Answer) -> str:
    """Return an answer as one line."""
    words: dict[Outcome, str] = {
        Outcome.not_asked: gettext("not asked"),
        Outcome.declined: gettext("would not say"),
        Outcome.unknown: gettext("unknown"),
    }
    if answer.outcome is not Outcome.answered:
        return words[answer.outcome]
    named = answer.campaign.name if answer.campaign else answer.channel and channels.label(answer.channel)
    if named and answer.verbatim:
        return str(gettext("%(named)s (“%(words)s”)", named=named, words=answer.verbatim))
    return named or answer.verbatim or ""


def job_state_words() -> list[tuple[str, str]]:
    """Return the states of a job with their names."""
    return [
        (JobState.waiting, gettext("waiting")),
        (JobState.running, gettext("running")),
        (JobState.done, gettext("done")),
        (JobState.failed, gettext("failed")),
        (JobState.stopped, gettext("stopped")),
    ]


def record_words() -> list[tuple[str, str]]:
    """Return what the tables are called whose rows an import makes."""
    return [
        ("call", gettext("Calls")),
        ("answer", gettext("Answers")),
        ("deal", gettext("Deals")),
        ("cost", gettext("Costs")),
        ("visit_count", gettext("Numbers of web visits")),
        ("touch", gettext("Touches")),
        ("campaign", gettext("Campaigns")),
        ("account", gettext("Companies")),
        ("contact", gettext("Contacts")),
        ("contact_point", gettext("Contact numbers and email addresses")),
    ]


def stay_words() -> dict[str, str]:
    """Return why a record stays when the import that made it is undone."""
    return {
        "edited": gettext("changed since"),
        "imported": gettext("changed by a later import"),
        "needed": gettext("belongs to a record that is kept"),
        "value": gettext("changed since, so not reverted"),
    }


def number_life_words() -> dict[str, str]:
    """Return where a number can stand, in words."""
    return {
        "available": gettext("available"),
        "assigned": gettext("in use"),
        "quarantined": gettext("cooling off"),
        "disabled": gettext("inactive"),
        "main_line": gettext("main line"),
        "pool": gettext("in a website's pool"),
    }


def import_kind_words() -> dict[str, str]:
    """Return the kinds of files with their names."""
    return {
        "deals": gettext("deals"),
        "costs": gettext("costs"),
        "calls": gettext("call log with answers"),
        "cdr": gettext("phone system call records (CDR)"),
        "touches": gettext("touches: visits, forms, messages, trade shows"),
        "visits": gettext("numbers of web visits (GA4, Matomo, Plausible)"),
        "supplier": gettext("campaigns, assets and numbers (YAML)"),
    }


def stage_words() -> list[tuple[str, str]]:
    """Return the stages of a deal with their names."""
    return [(stage, stage_word(stage)) for stage in Stage]


def touch_kind_words() -> list[tuple[str, str]]:
    """Return the kinds of touch with their names."""
    return [(kind, str(gettext(_TOUCHES.get(kind, "other")))) for kind in TouchKind]


def template_words() -> dict[str, str]:
    """Return what the workbooks to fill in are for."""
    return {
        "deals": gettext("deals"),
        "costs": gettext("costs"),
        "calls": gettext("calls"),
        "touches": gettext("touches"),
        "visits": gettext("visits"),
        "answers": gettext("answers"),
    }


def actor_word(actor: str) -> str:
    """Return who did something: a person as written, a program by what it is called on pages."""
    if actor.startswith(_API):
        return str(gettext("API token %(name)s", name=actor.removeprefix(_API)))
    programs = {"terminal": gettext("command line"), "worker": gettext("background worker")}
    return str(programs.get(actor, actor))


def unit_words(settings: Settings, unit: Unit) -> str:
    """Return what a unit is called."""
    words = {
        "money": settings.currency,
        "share": gettext("share"),
        "ratio": gettext("ratio"),
        "months": gettext("months"),
    }
    return str(words.get(unit, gettext("count")))
