"""What words for a source stand for: an answer somebody gave or noted, or where a system saw the buyer."""

from sqlalchemy.orm import Session

from tracking.imports import words as tables
from tracking.imports.values import fold
from tracking.language import channels
from tracking.records import answers
from tracking.storage.vocabulary import TouchKind

# What HubSpot calls where a contact was first seen, as kinds of touch. Offline sources name none.
_SEEN = {
    word: (channel, TouchKind.visit)
    for word in (
        "organic search",
        "paid search",
        "paid social",
        "organic social",
        "social media",
        "email marketing",
        "referrals",
        "other campaigns",
        "ai referrals",
    )
    if (channel := channels.online(word))
}
_SEEN |= {word: _SEEN[meaning] for word, meaning in tables.values("seen").items() if meaning in _SEEN}
_SOURCES = tables.values("sources")
_WEBSITE, _NOTHING = "website", "nothing"
_NUMBER = 6
"""So many digits and more are a telephone number: telephone systems call the caller the source."""


def source(told: str | None) -> tuple[str | None, tuple[str, TouchKind] | None]:
    """Return what a source is: an answer that somebody noted, or where the system saw the buyer.

    That somebody called, or that nobody knows, is no source.
    """
    folded = fold(told or "")
    meant = _SOURCES.get(folded)
    if folded in _SEEN:
        return None, _SEEN[folded]
    if meant == _WEBSITE:
        return None, (_WEBSITE, TouchKind.form)
    return (None if meant == _NOTHING else told), None


def nothing(told: str) -> bool:
    """Tell whether a word names no source: that somebody called, or that nobody knows."""
    return _SOURCES.get(fold(told)) == _NOTHING or sum(c.isdigit() for c in told) > _NUMBER


def meaning(session: Session, told: str) -> answers.Source | None:
    """Return the campaign or channel of this name, or the channel that the word commonly stands for."""
    if found := answers.understand(session, told):
        return found
    channel = _SOURCES.get(fold(told))
    return None if channel in (None, _NOTHING) else answers.Source(told, channel=channel)
