"""Refusals and sentences of the domain in the language of the page; they are written in English."""

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from tracking.errors import OF_FIELD, Conflict, Invalid, NotFound, Sentence
from tracking.language.words import field_words


def translated(thing: Any) -> Any:
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
    values = {name: translated(value) for name, value in said.values.items()}
    if said.template == OF_FIELD:
        values["field"] = field_words().get(values["field"], values["field"])
        return str(gettext("%(field)s: %(reason)s", **values))
    here = _ON_PAGES.get(said.template)
    template = str(here) if here else gettext(said.template) if said.template else ""
    return Sentence(template, values)


# What names an option of the command line, and what a page says in its place.
_ON_PAGES = {
    "%(what)s is in %(source)s and has no exchange rate to %(target)s on %(day)s; add one with "
    "`ringtrail rate %(source)s %(needed)s RATE`": _(
        "%(what)s is in %(source)s and has no exchange rate to %(target)s on %(day)s; add one under "
        "Data quality"
    ),
    "could mean that day or the month starting on it; use --period day or --period month": _(
        "could mean that day or the month starting on it; choose which above the columns"
    ),
    "%(mark)s could be a decimal or a thousands separator; use --decimal , or --decimal .": _(
        "%(mark)s could be a decimal or a thousands separator; choose the decimal mark"
    ),
    'two columns %(column)s; remove one, or choose one with --map %(field)s="%(first)s"': _(
        "two columns %(column)s; choose one of them below, or neither"
    ),
    'no column for %(wanted)s. Columns in the file: %(known)s. Set it with --map %(first)s="COLUMN"': _(
        "no column for %(wanted)s. Columns in the file: %(known)s. Choose one below"
    ),
    "%(problem)s. It looks like %(like)s; use `ringtrail import %(kind)s`": _(
        "%(problem)s. It looks like %(like)s; choose that file type"
    ),
    "not valid %(encoding)s; set the encoding with --encoding": _(
        "not valid %(encoding)s; choose another encoding"
    ),
    "unknown value; use one of: %(words)s, or map it: %(remedy)s": _(
        "unknown value; use one of: %(words)s, or choose its meaning under Change column matching"
    ),
    "no time zone; add an offset, as in 2026-03-01T09:30+01:00, or use --timezone": _(
        "no time zone; add an offset, as in 2026-03-01T09:30+01:00, or choose the time zone"
    ),
    "looks like a spreadsheet day number (%(day)s); use --dates serial, or format the column as dates": _(
        "looks like a spreadsheet day number (%(day)s); choose day numbers as the date format "
        "above the columns"
    ),
    "the file does not say which days it covers; add --days 2026-03-01..2026-03-31": _(
        "the file does not say which days it covers; enter them, as 2026-03-01..2026-03-31"
    ),
    "no campaign has the tags %(tags)s (rows: %(rows)s). Match them under Visits, or with "
    "`ringtrail visits match`": _(
        "no campaign has the tags %(tags)s (rows: %(rows)s). Match them under Visits"
    ),
    "nothing says whether the call was answered; if %(column)s is the talk time, use "
    '--map talk_s="%(column)s"': _(
        "nothing says whether the call was answered; if %(column)s is the talk time, choose it as that"
    ),
    "ambiguous date; write it as 2026-12-31, or use --dates dmy or --dates mdy": _(
        "ambiguous date; write it as 2026-12-31, or choose whether the day or the month comes first"
    ),
    "the amount is in %(label)s but the row is in %(currency)s; add a currency column or use --currency": _(
        "the amount is in %(label)s but the row is in %(currency)s; add a currency column, or "
        "choose the currency"
    ),
}


# What the engine says of a model that the data do not support, and what a page says in its place.
_TOO_MANY = _("too many sources for this model")
_NO_END = _("no journey ends in a conversion; use more data or a longer lookback window")
_UNSETTLED = _("the Markov model does not converge; use a shorter lookback window")
_OBSTACLES = {
    "no path ends in a conversion; use more data or a longer lookback": _NO_END,
    "no path ends in a conversion, so no removal effect is defined; use more data or a longer lookback, "
    "or a rule model": _NO_END,
    "every touch has the same source, so there is nothing to compare it with; use first-touch, last-touch "
    "or linear, or campaigns as states": _(
        "all touches have the same source; use first-touch, last-touch or linear"
    ),
    "there are more sources than a chain can tell apart; use channels as states, or group small sources": (
        _TOO_MANY
    ),
    "there are too many sources to tell all their coalitions apart; use the model shapley, or group small "
    "sources": _TOO_MANY,
    "there are fewer than two sources, so no coalition; use last-touch or linear": _(
        "fewer than two sources; use last-touch or linear"
    ),
    "the chain has too many moves to be solved for each of its sources; use a lower order, channels as "
    "states, or group small sources": _UNSETTLED,
    "the chain does not settle: some paths are extremely long; set lookback_days, or use order 1": _UNSETTLED,
    "answers: nobody answered, so there is nothing to report; ask callers where they heard of you, or use a "
    "rule model": _("no caller answers yet; ask callers how they heard about you, or use a rule-based model"),
    "answers: no conversion has both a touch and an answer, so the two cannot be weighed; use "
    "self-reported, or a rule model": _(
        "no deal has both a touch and an answer; use self-reported or a rule-based model"
    ),
}


def why_unavailable(reason: str) -> str:
    """Return in the language of the page why a model cannot be computed; the engine says it in English."""
    return str(_OBSTACLES.get(reason, reason))
