"""Answers to "where did you hear about us?" in the API: corrections stand beside what they correct."""

from datetime import datetime
from typing import TypeVar

from pydantic import Field
from sqlalchemy import exists, select
from sqlalchemy.orm import aliased, selectinload

from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.calls import find
from tracking.api.forms import (
    Body,
    BodyId,
    ById,
    Id,
    Line,
    Listing,
    Moment,
    NameOfAny,
    Page,
    Query,
    Shown,
    Words,
    one,
    page,
)
from tracking.api.problems import naming, pointing_at
from tracking.api.routes import Context, Section
from tracking.errors import NotFound
from tracking.records import answers, campaigns, coding
from tracking.records.answers import Entry
from tracking.storage.models import Account, Answer, Contact, Deal
from tracking.storage.vocabulary import Outcome

_Row = TypeVar("_Row", Account, Answer, Contact, Deal)

routes = Section(
    "answers", "What came of asking where callers heard of the supplier.", write=Scope.write_calls
)


class AnswerQuery(Listing):
    """Which answers; several conditions must all hold."""

    call_id: Id | None = None
    contact_id: Id | None = None
    deal_id: Id | None = None
    outcome: Outcome | None = None
    since: Moment | None = Field(None, alias="from", description="Asked at this moment or later.")
    until: Moment | None = Field(None, alias="to", description="Asked before this moment.")
    standing: bool | None = Field(None, description="Those that stand (true) or were corrected (false).")


class NewAnswer(Body):
    """What came of asking; a second entry for a call corrects the first and keeps it."""

    call_id: BodyId | None = Field(None, description="The call at which it was asked.")
    contact_id: BodyId | None = Field(None, description="Who was asked, where it was not at a call.")
    company_id: BodyId | None = Field(None, description="Whose people were asked, where nobody knows who.")
    deal_id: BodyId | None = Field(None, description="The deal at which it was asked.")
    corrects_id: BodyId | None = Field(
        None,
        description="The entry that this one replaces; it belongs to whatever that one belonged to, and its "
        "words stay where none are given.",
    )
    outcome: Outcome
    asked_at: Moment | None = Field(None, description="By default now.")
    asked_by: Line | None = None
    campaign: Line | None = Field(None, description="What the words were taken to mean: a campaign's name.")
    channel: Line | None = Field(None, description="The same, where it names no campaign.")
    verbatim: Words | None = Field(None, description="The caller's own words.")


class ShownAnswer(Shown):
    """An entry; the latest of a chain stands, the others were corrected."""

    id: int
    call_id: int | None
    contact_id: int
    deal_id: int | None
    asked_at: datetime
    asked_by: str | None
    entered_at: datetime | None
    entered_by: str | None = Field(description="Who wrote this entry, where somebody else asked.")
    outcome: Outcome
    campaign_id: int | None
    campaign: NameOfAny
    channel: str | None
    verbatim: str | None
    corrects_id: int | None = Field(description="The entry that this one replaces.")


class Chain(Shown):
    """An entry with all it corrects and all that correct it, the first one first."""

    items: list[ShownAnswer]


@routes.get("/answers")
def list_answers(context: Context, query: AnswerQuery) -> Page[ShownAnswer]:
    """List answers, the latest first."""
    rows = select(Answer).order_by(Answer.asked_at.desc(), Answer.id.desc())
    rows = rows.options(selectinload(Answer.campaign))
    for column, wanted in (
        (Answer.call_id, query.call_id),
        (Answer.contact_id, query.contact_id),
        (Answer.deal_id, query.deal_id),
        (Answer.outcome, query.outcome),
    ):
        if wanted is not None:
            rows = rows.where(column == wanted)
    if query.since is not None:
        rows = rows.where(Answer.asked_at >= query.since)
    if query.until is not None:
        rows = rows.where(Answer.asked_at < query.until)
    if query.standing is not None:
        later = aliased(Answer)
        corrected = exists().where(later.corrects_id == Answer.id)
        rows = rows.where(~corrected if query.standing else corrected)
    return page(context.session, rows, query, ShownAnswer.model_validate)


@routes.get("/answers/<int:id>")
def get_answer(context: Context, path: ById) -> ShownAnswer:
    """Show an answer."""
    return ShownAnswer.model_validate(_find(context, path.id))


@routes.get("/answers/<int:id>/chain")
def get_answer_chain(context: Context, path: ById) -> Chain:
    """Show how an answer was corrected, from the first entry to the one that stands."""
    chain = [_find(context, path.id)]
    while (earlier := chain[0].corrects_id) is not None:
        chain.insert(0, context.session.get_one(Answer, earlier))
    while later := context.session.scalar(select(Answer).where(Answer.corrects_id == chain[-1].id)):
        chain.append(later)
    return Chain(items=[ShownAnswer.model_validate(row) for row in chain])


@routes.post("/answers")
def log_answer(context: Context, body: NewAnswer) -> ShownAnswer:
    """Write down what came of asking; the tracked source of the call stays as it is."""
    session = context.session
    call = campaign = None
    if body.call_id is not None:
        with pointing_at("call_id"):
            call = find(context, body.call_id)
    contact = _pointed_to(context, Contact, "contact_id", body.contact_id)
    account = _pointed_to(context, Account, "company_id", body.company_id)
    deal = _pointed_to(context, Deal, "deal_id", body.deal_id)
    corrects = _pointed_to(context, Answer, "corrects_id", body.corrects_id)
    if body.campaign is not None:
        with pointing_at("campaign"):
            campaign = campaigns.get(session, body.campaign)
    with naming({"call": "call_id"}):
        row = answers.log(
            session,
            body.outcome,
            asked_at=body.asked_at or (corrects.asked_at if corrects else context.at),
            asked_by=body.asked_by or (corrects.asked_by if corrects else None),
            call=call,
            contact=contact,
            account=account,
            deal=deal,
            corrects=corrects,
            entry=Entry(f"token {access.token().name}", context.at),
            campaign=campaign,
            channel=body.channel,
            verbatim=body.verbatim or (corrects.verbatim if corrects else None),
        )
    return ShownAnswer.model_validate(row)


class UncodedWords(Shown):
    """Answers in the same words that name no source, and what the words may mean."""

    words: str
    answers: list[int]
    suggestion: str | None = Field(description="A campaign or channel; null where none or several fit.")
    fits: list[str] = Field(description="All that fit equally well.")
    because: str = Field(description="The name that stands in the words, or that they are like.")
    exact: bool
    unknown: bool = Field(description="Whether the words say that the caller does not know.")


class Worklist(Shown):
    """What waits to be told what it means."""

    items: list[UncodedWords]


class Coding(Body):
    """What words mean; every open answer in these words gets an entry that says so."""

    words: Words
    source: Line | None = Field(None, description="A campaign's or channel's name; null: not known.")


class Coded(Shown):
    """How many answers it were."""

    answers: int


@routes.get("/answers/words")
def list_answer_words(context: Context, query: Query) -> Worklist:
    """List answers in words alone, the most frequent words first, each with a suggestion."""
    return Worklist(
        items=[
            UncodedWords(
                words=group.words,
                answers=group.ids,
                suggestion=group.suggestion.source.label if group.suggestion.source else None,
                fits=[source.label for source in group.suggestion.sources],
                because=group.suggestion.because,
                exact=group.suggestion.exact,
                unknown=group.suggestion.unknown,
            )
            for group in coding.uncoded(context.session)
        ]
    )


@routes.post("/answers/words", status=200)
def code_answer_words(context: Context, body: Coding) -> Coded:
    """Say what words mean, for all answers in the same words."""
    source = coding.meant(context.session, body.source) if body.source is not None else None
    entry = Entry(f"token {access.token().name}", context.at)
    return Coded(answers=coding.code(context.session, body.words, source, entry=entry))


def _pointed_to(context: Context, kind: type[_Row], field: str, row_id: int | None) -> _Row | None:
    if row_id is None:
        return None
    with pointing_at(field):
        return one(context.session, kind, row_id)


def _find(context: Context, answer_id: int) -> Answer:
    row = context.session.get(Answer, answer_id)
    if row is None:
        raise NotFound("answer %(answer_id)s not found", answer_id=answer_id)
    return row
