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
    "may be the day or the whole month that begins on it; say --period day or --period month": _(
        "may be the day or the whole month that begins on it; say which above the columns"
    ),
    "%(mark)s may divide or separate thousands, and no other cell tells; say --decimal , or --decimal .": _(
        "%(mark)s may divide or separate thousands, and no other cell tells; choose the decimal mark"
    ),
    'has two columns %(column)s; take one out, or say which it is: --map %(field)s="%(first)s"': _(
        "has two columns %(column)s; choose below which of them is read, or none"
    ),
    'no column for %(wanted)s; the file has %(known)s; say which it is with --map %(first)s="COLUMN"': _(
        "no column for %(wanted)s; the file has %(known)s; choose it below"
    ),
    "holds a byte that is not %(encoding)s; name the encoding with --encoding": _(
        "holds a byte that is not %(encoding)s; choose another encoding"
    ),
    "is not known here; write one of %(words)s; or map it: %(remedy)s": _(
        "is not known here; write one of %(words)s, or say what it means where the columns are chosen"
    ),
    "names no time zone; write an offset such as 2026-03-01T09:30+01:00, or give --timezone": _(
        "names no time zone; write an offset such as 2026-03-01T09:30+01:00, or choose the time zone"
    ),
    "is a spreadsheet's count of days, %(day)s, if it is a date; say so with --dates serial, "
    "or format the column as dates": _(
        "is a spreadsheet's count of days, %(day)s, if it is a date; say above the columns that days "
        "are counted"
    ),
    "could be either of two days; write 2026-12-31, or say --dates dmy or --dates mdy": _(
        "could be either of two days; write 2026-12-31, or say which comes first, the day or the month"
    ),
    "is written in %(label)s, and the row is in %(currency)s; add a currency column or --currency": _(
        "is written in %(label)s, and the row is in %(currency)s; add a currency column, or choose the "
        "currency"
    ),
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
