"""Refusals and sentences of the domain in the language of the page; they are written in English."""

from typing import Any

from flask_babel import gettext

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
    template: str = gettext(said.template) if said.template else ""
    return Sentence(template, values)


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
