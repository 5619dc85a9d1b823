"""What callers' own words may mean: campaigns and channels by their names in four languages, to be confirmed.

Nothing here decides. It suggests, and says why; a person confirms, for all answers in the same words at once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rapidfuzz import fuzz, process
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.language import channels
from tracking.records import answers
from tracking.records.answers import Entry, Source
from tracking.storage.models import Answer, Campaign
from tracking.storage.vocabulary import Outcome

_LIKE = 86.0
"""From this likeness on (0 to 100, rapidfuzz's ratio) a word counts as another one misspelt. A judgement."""
_SHORTEST = 5
"""Shorter words are like too many others to be taken for misspelt ones."""
_LONGEST = 4
"""Words of a name that are compared at once."""
_READ = 20_000
"""So many of the latest answers in words alone are read at most."""
_HAN = 0x2E80


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What words may mean: one source, or several that fit equally well, of which none is chosen."""

    sources: tuple[Source, ...] = ()
    because: str = ""
    """The name by which it is known, as it is compared."""
    exact: bool = True
    """Whether the name stands there as it is written; else it is like it."""
    unknown: bool = False
    """Whether the words say that the caller does not know."""

    @property
    def source(self) -> Source | None:
        """Return the source, where it is one."""
        return self.sources[0] if len(self.sources) == 1 else None


@dataclass(slots=True)
class Uncoded:
    """Answers in the same words that name neither a campaign nor a channel."""

    words: str
    ids: list[int] = field(default_factory=list)
    latest: datetime | None = None
    suggestion: Suggestion = Suggestion()


def waits() -> ColumnElement[bool]:
    """Return whether an answer is in words alone, and stands."""
    return and_(
        Answer.outcome == Outcome.answered,
        Answer.campaign_id.is_(None),
        Answer.channel.is_(None),
        # Words that were taken out with a person wait for nobody.
        Answer.verbatim.is_not(None),
        answers.stands(),
    )


def count(session: Session) -> int:
    """Count the answers that wait to be told what they mean."""
    return session.scalar(select(func.count()).select_from(Answer).where(waits())) or 0


def uncoded(session: Session, *, limit: int = 50) -> list[Uncoded]:
    """Return answers in words alone by their words, the most frequent first, each with a suggestion."""
    found = select(Answer.id, Answer.verbatim, Answer.asked_at).where(waits())
    groups: dict[str, Uncoded] = {}
    for answer_id, words, asked_at in session.execute(found.order_by(Answer.asked_at.desc()).limit(_READ)):
        group = groups.setdefault(same(words or ""), Uncoded(words or ""))
        group.ids.append(answer_id)
        group.latest = group.latest or asked_at
    # Ties in the order in which they came, the latest first.
    some = sorted(groups.items(), key=lambda pair: -len(pair[1].ids))[:limit]
    known = Meanings(session)
    for _, group in some:
        group.suggestion = known.of(group.words)
    return [group for _, group in some]


def code(
    session: Session, words: str, source: Source | None, *, entry: Entry, only: Sequence[int] | None = None
) -> int:
    """Say what answers in these words mean, each by an entry that corrects it; return how many that are.

    Without a source, the callers did not know. With ``only``, those answers and no others.

    Raises
    ------
    Conflict
        If no answer in these words waits any more.
    """
    wanted = same(words)
    found = select(Answer).where(waits()).order_by(Answer.id)
    if only is not None:
        found = found.where(Answer.id.in_(only))
    rows = [row for row in session.scalars(found) if same(row.verbatim or "") == wanted]
    if not rows:
        raise Conflict("no answer in these words is open any more; reload the page")
    for row in rows:
        answers.log(
            session,
            Outcome.answered if source else Outcome.unknown,
            asked_at=row.asked_at,
            asked_by=row.asked_by,
            campaign=source.campaign if source else None,
            channel=source.channel if source else None,
            verbatim=row.verbatim,
            corrects=row,
            entry=entry,
        )
    return len(rows)


def meant(session: Session, words: str) -> Source | None:
    """Return the source that somebody chose by its name; None where he chose that the caller did not know.

    Raises
    ------
    Invalid
        If no campaign and no channel has that name.
    """
    if channels.is_unknown(words):
        return None
    found = answers.understand(session, words)
    if found is None:
        raise Invalid(
            "source", "no campaign or channel is called %(told)r; choose one from the list", told=words[:80]
        )
    return found


def same(words: str) -> str:
    """Return words as they are compared: without capitals, signs and repeated blanks."""
    return channels.folded(words) or words.strip()


class Meanings:
    """The names by which campaigns and channels are known, and what people took the same words for."""

    def __init__(self, session: Session) -> None:
        self._sources: dict[str, dict[str, Source]] = defaultdict(dict)
        rows = session.scalars(select(Campaign).order_by(Campaign.id)).all()
        for channel in sorted({row.channel for row in rows}):
            self._add(channel, Source(channels.label(channel), channel=channel))
        for standard in channels.STANDARD:
            source = Source(str(standard.label), channel=standard.channel)
            for name in (
                standard.channel,
                str(standard.label),
                *standard.names.split(","),
                *standard.words.split(","),
            ):
                self._add(name, source)
        for row in rows:
            # A campaign is the closer meaning of a name that is a channel's too.
            self._sources[same(row.name)] = {f"campaign {row.id}": Source(row.name, row)}
        self._like = [name for name in self._sources if len(name) >= _SHORTEST and ord(name[0]) < _HAN]
        self._before = _before(session, {row.id: row for row in rows})

    def _add(self, name: str, source: Source) -> None:
        if folded := same(name):
            self._sources[folded][f"channel {source.channel}"] = source

    def of(self, words: str) -> Suggestion:
        """Return what words may mean."""
        text = same(words)
        if channels.is_unknown(words) or channels.is_unknown(text):
            return Suggestion(unknown=True)
        if before := self._before.get(text):
            return Suggestion(before, text)
        spans = self._spans(text)
        if spans:
            # A name within a longer one says nothing of its own: "catalogue" in "catalogue of suppliers".
            whole = {
                one: name
                for one, name in spans.items()
                if not any(o[0] <= one[0] and one[1] <= o[1] and o != one for o in spans)
            }
            return self._told(whole.values(), exact=True)
        tokens = text.split()
        like: dict[str, float] = {}
        for size in range(1, _LONGEST + 1):
            for at in range(len(tokens) - size + 1):
                part = " ".join(tokens[at : at + size])
                if len(part) >= _SHORTEST:
                    for name, score, _ in process.extract(
                        part, self._like, scorer=fuzz.ratio, score_cutoff=_LIKE, limit=5
                    ):
                        like[name] = max(score, like.get(name, 0.0))
        best = max(like.values(), default=0.0)
        return self._told([name for name, score in like.items() if score == best], exact=False)

    def _spans(self, text: str) -> Mapping[tuple[int, int], str]:
        padded, spans = f" {text} ", {}
        for name in self._sources:
            # Chinese is written without blanks.
            at = text.find(name) if ord(name[0]) >= _HAN else padded.find(f" {name} ")
            if at >= 0:
                spans[at, at + len(name)] = name
        return spans

    def _told(self, names: Iterable[str], *, exact: bool) -> Suggestion:
        found: dict[str, Source] = {}
        because = ""
        for name in names:
            because = max(because, name, key=len)
            found |= self._sources[name]
        return Suggestion(tuple(found.values()), because, exact)


def _before(session: Session, campaigns: Mapping[int, Campaign]) -> dict[str, tuple[Source, ...]]:
    """Return what people took words for most often, where that is one source or several equally often."""
    told = (
        select(Answer.verbatim, Answer.campaign_id, Answer.channel)
        .where(Answer.outcome == Outcome.answered, Answer.verbatim.is_not(None), ~waits(), answers.stands())
        .order_by(Answer.asked_at.desc())
        .limit(_READ)
    )
    counts: dict[str, Counter[tuple[int | None, str | None]]] = defaultdict(Counter)
    for words, campaign_id, channel in session.execute(told):
        counts[same(words or "")][campaign_id, None if campaign_id else channel] += 1
    found = {}
    for words, counter in counts.items():
        most = max(counter.values())
        found[words] = tuple(
            Source(campaigns[campaign_id].name, campaigns[campaign_id])
            if campaign_id
            else Source(channels.label(channel or ""), channel=channel)
            for (campaign_id, channel), number in counter.items()
            if number == most
        )
    return found
