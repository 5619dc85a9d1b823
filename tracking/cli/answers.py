"""Answers to "How did you hear about us?" on the command line: added, corrected, and told what they mean."""

from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking import clock
from tracking.access import audit
from tracking.cli.installation import (
    IDENTIFIER,
    Day,
    Installation,
    Moment,
    counted,
    json_option,
    pass_installation,
)
from tracking.errors import NotFound
from tracking.records import answers, coding
from tracking.records.answers import Entry
from tracking.reporting import heard, roi, snapshots
from tracking.reporting.heard import Agreement
from tracking.storage import db
from tracking.storage.models import Account, Answer, Call, Contact, Deal
from tracking.storage.vocabulary import Outcome

_Row = TypeVar("_Row", Account, Answer, Call, Contact)
_BY = "terminal"


@click.command("add")
@click.argument("words", required=False)
@click.option("--source", help="Campaign or channel that the words mean.")
@click.option(
    "--outcome",
    type=click.Choice(list(Outcome)),
    default=Outcome.answered,
    show_default=True,
    help="What came of asking.",
)
@click.option("--call", "call_id", type=IDENTIFIER, help="Number of the call.")
@click.option("--contact", "contact_id", type=IDENTIFIER, help="Number of the contact.")
@click.option("--company", "company_id", type=IDENTIFIER, help="Number of the company.")
@click.option("--deal", "deal_id", help="ID of the deal, as in your CRM.")
@click.option(
    "--correct", "corrects_id", type=IDENTIFIER, help="Number of the answer that this one corrects."
)
@click.option("--asked-at", type=Moment(), help="When it was asked (default: now).")
@click.option("--asked-by", help="Who asked.")
@json_option
@pass_installation
def answer_add(
    installation: Installation,
    words: str | None,
    source: str | None,
    outcome: str,
    call_id: int | None,
    contact_id: int | None,
    company_id: int | None,
    deal_id: str | None,
    corrects_id: int | None,
    asked_at: datetime | None,
    asked_by: str | None,
) -> None:
    """Add an answer in the caller's WORDS to a call, contact, company or deal, or correct one."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        found = coding.meant(session, source) if source else None
        if source and found is None:
            outcome = Outcome.unknown
        corrects = _get(session, Answer, corrects_id)
        row = answers.log(
            session,
            Outcome(outcome),
            asked_at=asked_at or (corrects.asked_at if corrects else at),
            asked_by=asked_by or (corrects.asked_by if corrects else None),
            call=_get(session, Call, call_id),
            contact=_get(session, Contact, contact_id),
            account=_get(session, Account, company_id),
            deal=_deal(session, deal_id),
            campaign=found.campaign if found else None,
            channel=found.channel if found else None,
            verbatim=words or (corrects.verbatim if corrects else None),
            corrects=corrects,
            entry=Entry(_BY, at),
        )
        audit.note(session, _BY, "answer correct" if corrects else "answer add", f"answer {row.id}", at=at)
        number = row.id
    installation.tell(f"answer {number} saved", id=number)


@click.command("words")
@json_option
@pass_installation
def answer_words(installation: Installation) -> None:
    """List answers in words that name no source yet, with what they may mean."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                "words": group.words,
                "answers": len(group.ids),
                "suggestion": "does not know"
                if group.suggestion.unknown
                else ", ".join(source.label for source in group.suggestion.sources),
                "because": group.suggestion.because,
                "exact": group.suggestion.exact,
            }
            for group in coding.uncoded(session)
        ]
    installation.show(
        rows,
        {"words": "Words", "answers": "Answers", "suggestion": "May mean", "because": "Because of"}
        | ({"exact": "Exact"} if installation.as_json else {}),
    )


@click.command("match")
@click.argument("words")
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Show how many answers it would be; change nothing.")
@json_option
@pass_installation
def answer_match(installation: Installation, words: str, source: str, dry_run: bool) -> None:
    """Say that WORDS mean SOURCE, a campaign or channel, in all answers that name no source yet.

    With "does not know" as SOURCE, the callers did not know.
    """
    at = clock.now()
    if dry_run:
        with db.reading(installation.engine) as session:
            coding.meant(session, source)
            groups = coding.uncoded(session, limit=100_000)
        many = sum(len(one.ids) for one in groups if coding.same(one.words) == coding.same(words))
        installation.tell(f"{counted(many, 'answer')} would mean {source!r}", answers=many)
        return
    with db.transaction(installation.engine) as session:
        found = coding.meant(session, source)
        many = coding.code(session, words, found, entry=Entry(_BY, at))
        audit.note(session, _BY, "answers match", found.label if found else "unknown", at=at)
    installation.tell(
        f"{counted(many, 'answer')} now {'means' if many == 1 else 'mean'} {source!r}", answers=many
    )


@click.command("answers")
@click.option("--from", "first", type=Day(), help="First day (default: a year before the last).")
@click.option("--to", "last", type=Day(), help="Last day (default: today).")
@click.option(
    "--by",
    type=click.Choice(["answer", "rep", "channel", "month"]),
    default="answer",
    show_default=True,
    help="What the lines are.",
)
@json_option
@pass_installation
def answers_command(installation: Installation, first: date | None, last: date | None, by: str) -> None:
    """Compare what callers answer with what was tracked.

    Agreement proves nothing: callers remember what impressed them, tracking sees what came last.
    """
    settings, at = installation.settings, clock.now()
    period = roi.period_of(settings, at.astimezone(settings.zone).date(), first, last)
    with db.reading(installation.engine) as session:
        found = heard.heard(session, snapshots.whole(session, settings, at=at), period)
    if by == "answer":
        cells = [
            {"tracked": tracked, "answered": answered, "answers": count, "agrees": tracked == answered}
            for (tracked, answered), count in sorted(found.cells.items(), key=lambda pair: -pair[1])
        ]
        named = {"tracked": "Tracked", "answered": "Answered", "answers": "Answers"}
        said = {name: heard.channel_word(name) for cell in found.cells for name in cell}
        named |= {"agrees": "Agrees"} if installation.as_json else {}
        installation.show(cells, named, words={"tracked": said, "answered": said})
    else:
        lines = {"rep": found.by_rep, "channel": found.by_channel, "month": found.by_month}[by]
        words = {line.of: heard.channel_word(line.of) for line in lines if line.of} if by == "channel" else {}
        installation.show(
            [_shown(line) for line in lines], _HEADINGS | {"of": by.capitalize()}, words={"of": words}
        )
    total = found.total
    if not installation.as_json:
        days = f"{period.start} to {period.end - timedelta(days=1)}"
        click.echo(f"{total.agreed} of {total.comparable} comparable answers agree, {days}")


_HEADINGS = {
    "of": "Of",
    "entries": "Logged",
    "asked": "Asked",
    "answered": "Answered",
    "comparable": "Comparable",
    "agreed": "Agree",
    "rate": "Share",
}


def _shown(line: Agreement) -> dict[str, Any]:
    counts = {name: getattr(line, name) for name in ("entries", "asked", "answered", "comparable", "agreed")}
    rate = None if line.agreed_rate is None else round(line.agreed_rate, 3)
    return {"of": line.of or "Rep not named", "rate": rate} | counts


def _get(session: Session, kind: type[_Row], number: int | None) -> _Row | None:
    if number is None:
        return None
    row = session.get(kind, number)
    if row is None:
        what = {"account": "company"}.get(kind.__tablename__, kind.__tablename__)
        raise NotFound("%(what)s %(number)s not found", what=what, number=number)
    return row


def _deal(session: Session, external_id: str | None) -> Deal | None:
    if external_id is None:
        return None
    row = session.scalar(select(Deal).where(Deal.external_id == external_id))
    if row is None:
        raise NotFound("deal %(number)s not found", number=external_id)
    return row
