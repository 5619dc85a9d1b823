"""Refusals and names of models in the language of the page; the domain and the engine say them in English."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from tracking.errors import OF_FIELD, Conflict, Invalid, NotFound, Sentence

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


def told(thing: Any) -> Any:
    """Return a refusal, or a sentence of the domain, in the language of the page; anything else as it is.

    Every expression of a template goes through here, so that no page can forget it.
    """
    if isinstance(thing, Sentence):
        return sentence(thing)
    if isinstance(thing, Invalid | NotFound | Conflict):
        return sentence(thing.whole)
    return thing


def sentence(said: Sentence) -> str:
    """Return a sentence of the domain in the language of the page."""
    values = {name: told(value) for name, value in said.values.items()}
    if said.template == OF_FIELD:
        values["field"] = field_words().get(values["field"], values["field"])
        return str(gettext("%(field)s: %(reason)s", **values))
    template: str = gettext(said.template) if said.template else ""
    return Sentence(template, values)


def field_words() -> dict[str, str]:
    """Return what fields are called on pages, by the names that refusals give them."""
    return {
        "ad_material": gettext("Ad material"),
        "amount": gettext("Amount"),
        "amount_minor": gettext("Amount"),
        "asked": gettext("Asked"),
        "asked_at": gettext("Asked at"),
        "budget": gettext("Budget"),
        "budget_minor": gettext("Budget"),
        "call": gettext("Call"),
        "caller": gettext("Caller's number"),
        "caller_name": gettext("Name of the caller"),
        "campaign": gettext("Campaign"),
        "category": gettext("Category"),
        "channel": gettext("Channel"),
        "closed_at": gettext("Closed"),
        "company": gettext("Company"),
        "contact": gettext("Contact"),
        "currency": gettext("Currency"),
        "day": gettext("Day"),
        "destination": gettext("Destination"),
        "dialled": gettext("Number that was rung"),
        "direction": gettext("Direction"),
        "do": gettext("Action"),
        "edition": gettext("Edition"),
        "email": gettext("E-mail"),
        "ends_at": gettext("End"),
        "ends_on": gettext("Last day"),
        "expires_at": gettext("Last day"),
        "expires_on": gettext("Last day"),
        "external_id": gettext("Id elsewhere"),
        "file": gettext("File"),
        "first": gettext("First day"),
        "from": gettext("From"),
        "heard_campaign": gettext("Campaign heard of"),
        "heard_from": gettext("Heard from"),
        "hourly_rate": gettext("Rate an hour"),
        "hours": gettext("Hours"),
        "into": gettext("Into"),
        "kind": gettext("Kind"),
        "label": gettext("Name"),
        "language": gettext("Language"),
        "last": gettext("Last day"),
        "last_day": gettext("Last day"),
        "lead_status": gettext("Judgement"),
        "lookback": gettext("Lookback window"),
        "mail": gettext("Mail"),
        "mapping": gettext("Columns"),
        "margin_minor": gettext("Margin"),
        "medium": gettext("Medium"),
        "minutes": gettext("Minutes of talk"),
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
        "scopes": gettext("It may"),
        "smtp_url": gettext("Mail server"),
        "source": gettext("Source"),
        "source_key": gettext("Id elsewhere"),
        "stage": gettext("Stage"),
        "started_at": gettext("When it rang"),
        "starts_on": gettext("First day"),
        "status": gettext("State"),
        "tags": gettext("Tags"),
        "targets": gettext("Targets"),
        "theme": gettext("Look"),
        "timezone": gettext("Time zone"),
        "title": gettext("What happened"),
        "to": gettext("To"),
        "unit": gettext("Unit"),
        "value": gettext("Value"),
        "value_minor": gettext("Value"),
        "verbatim": gettext("Words of the caller"),
        "went": gettext("How it went"),
        "years": gettext("Years"),
    }


def why_unavailable(reason: str) -> str:
    """Return in the language of the page why a model cannot be computed; the engine says it in English."""
    known = {
        "no path ends": gettext("no path ends in a conversion; use more data or a longer lookback window"),
        "every touch has the same source": gettext(
            "every touch has the same source, so there is nothing to compare it with; "
            "use first-touch, last-touch or linear"
        ),
        "sources are more than": gettext("there are more sources than this model can tell apart"),
        "fewer than two sources": gettext("there are fewer than two sources; use last-touch or linear"),
        "the chain": gettext("the chain does not settle; use a shorter lookback window"),
        "nobody answered": gettext(
            "nobody answered, so there is nothing to report; "
            "ask callers where they heard of you, or use a rule model"
        ),
        "no conversion has both": gettext(
            "no conversion has both a touch and an answer, so the two cannot be weighed; "
            "use self-reported, or a rule model"
        ),
    }
    return next((said for begin, said in known.items() if begin in reason), reason)


def model_word(name: str) -> str:
    """Return what an attribution model is called."""
    return str(_MODELS.get(name, name))


def stage_word(stage: str) -> str:
    """Return what a stage of a deal is called."""
    return str(_STAGES.get(stage, stage))


def touch_word(kind: str) -> str:
    """Return what a kind of touch is called."""
    return str(_TOUCHES.get(kind) or gettext("other"))


def measure_word(measure: str) -> str:
    """Return what a target is of: one of ours, or an indicator by the name that people gave it."""
    return str(_MEASURES.get(measure.strip().lower().replace("_", " "), measure))


def column_words() -> dict[str, str]:
    """Return what the columns of imported files are called, by the fields that they are read as."""
    return {
        "account_id": gettext("company: id"),
        "amount": gettext("amount"),
        "asked": gettext("asked: yes, no, would not say"),
        "asked_by": gettext("asked by"),
        "call_id": gettext("call: id"),
        "caller": gettext("caller's number"),
        "caller_name": gettext("caller's name"),
        "campaign": gettext("campaign"),
        "category": gettext("category"),
        "channel": gettext("channel"),
        "closed_at": gettext("won or lost on"),
        "company": gettext("company"),
        "contact_id": gettext("contact: id"),
        "cost_id": gettext("cost: id"),
        "currency": gettext("currency"),
        "deal_id": gettext("deal: id"),
        "dialled": gettext("number dialled"),
        "direct": gettext("direct: yes or no"),
        "domain": gettext("company: web domain"),
        "duration_s": gettext("duration in seconds"),
        "email": gettext("e-mail"),
        "heard_campaign": gettext("answer: campaign"),
        "heard_channel": gettext("answer: channel"),
        "heard_from": gettext("answer, in the caller's words"),
        "hourly_rate": gettext("rate per hour"),
        "hours": gettext("hours"),
        "kind": gettext("kind of touch"),
        "last_day": gettext("period: last day"),
        "lead_at": gettext("lead since"),
        "lead_status": gettext("qualified: yes or no"),
        "margin": gettext("margin"),
        "material": gettext("ad material"),
        "name": gettext("name of the deal"),
        "note": gettext("note"),
        "occurred_at": gettext("when it happened"),
        "opportunity_at": gettext("opportunity since"),
        "period": gettext("period: day, month or year"),
        "period_end": gettext("period: first day after"),
        "period_start": gettext("period: first day"),
        "person": gettext("person"),
        "person_id": gettext("person: id"),
        "phone": gettext("telephone number"),
        "provider": gettext("telephone system"),
        "qualified_at": gettext("qualified since"),
        "stage": gettext("stage"),
        "started_at": gettext("when it rang"),
        "status": gettext("how the call went"),
        "tags": gettext("tags"),
        "talk_s": gettext("talk in seconds"),
        "touch_id": gettext("touch: id"),
        "value": gettext("value"),
    }
