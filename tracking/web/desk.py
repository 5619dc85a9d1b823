"""The rep at the telephone: who is calling, where he heard of us, and on to the next call."""

import secrets
from datetime import datetime, timedelta
from typing import NoReturn

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock
from tracking.errors import Conflict, Invalid
from tracking.language import channels
from tracking.language.words import answer_words
from tracking.records import answers, contacts, rates
from tracking.records.answers import Source
from tracking.records.contacts import Clues
from tracking.storage import db, phone
from tracking.storage.models import Account, Answer, Call, Campaign, Contact, Deal, PracticeCall
from tracking.storage.names import required
from tracking.storage.vocabulary import Outcome
from tracking.telephony import call_details, calls, ringing
from tracking.web import forms, pages
from tracking.web.pages import REPS, Work, user

_WAITS = timedelta(days=30)
"""How far back calls wait to be logged."""
_NAMED = timedelta(days=365)
"""How far back the commonest answers are counted."""
_QUEUE = 12
_PEOPLE = 30

Page = str | tuple[str, int] | AnyResponse


@pages.page("/desk", REPS)
def desk() -> Page:
    with pages.reading() as session:
        asked_for = request.args.get("call", type=int)
        waiting = call_details.loaded(calls.unlogged(since=clock.now() - _WAITS))
        practice = request.args.get("practice", type=int)
        if practice is not None or not asked_for:
            mine = ringing.practice_calls(at=clock.now()).where(PracticeCall.user_id == user().id)
            if row := session.scalar(mine.order_by(PracticeCall.id.desc()).limit(1)):
                return _form(session, ringing.practised(row), practice=row)
        if practice is not None:
            return redirect(url_for("web.desk"), 303)
        call = call_details.get(session, asked_for) if asked_for else session.scalar(waiting.limit(1))
        return _form(session, call)


@pages.page("/desk/practice", REPS, methods=("POST",))
def practise() -> Page:
    """Let a call ring here to try it out; nothing that a trail would speak of, since it never was."""
    with db.transaction(pages.engine()) as session:
        ringing.practise(session, user().id, at=clock.now())
    pages.bell().nudge()
    if pages.came_from() != url_for("web.home"):
        return redirect(url_for("web.desk"), 303)
    flash(gettext("A practice call rings. Take it on the desk."))
    return redirect(url_for("web.home"), 303)


@pages.page("/desk/practice/<int:practice_id>", REPS, methods=("POST",))
def log_practice(practice_id: int) -> Page:
    """Take what was logged of a practice call as of any other, and keep nothing of it."""
    at = clock.now()
    mine = (PracticeCall.id == practice_id, PracticeCall.user_id == user().id)
    with pages.reading() as session:
        row = session.scalar(select(PracticeCall).where(*mine))
        if row is not None:
            try:
                outcome, source, verbatim = _heard(session, at) or _nothing_heard()
                forms.judgement(ringing.practised(row), complete=False)
            except (Invalid, Conflict) as error:
                return _form(session, ringing.practised(row), problem=error, practice=row), pages.status_of(
                    error
                )
            named = {"campaign": source.campaign, "channel": source.channel} if source else {}
            said = answer_words(Answer(outcome=outcome, verbatim=verbatim, **named))
            flash(gettext("Practice call logged: %(what)s. It was neither kept nor counted.", what=said))
    with db.transaction(pages.engine()) as session:
        session.execute(delete(PracticeCall).where(*mine))
    pages.bell().nudge()
    return redirect(url_for("web.desk"), 303)


@pages.page("/desk/<int:call_id>", REPS, methods=("POST",))
def log_call(call_id: int) -> Page:
    try:
        following = pages.change(lambda job: _log(job, call_id))
    except (Invalid, Conflict) as error:
        with pages.reading() as session:
            page = _form(session, call_details.get(session, call_id), problem=error)
        return page, pages.status_of(error)
    return redirect(url_for("web.desk", call=following, saved=call_id), 303)


@pages.page("/desk/<int:call_id>/saved", REPS)
def desk_saved(call_id: int) -> dict[str, object]:
    """Tell what was logged of a call last; the bell says that there is something new."""
    with pages.reading() as session:
        answer = call_details.latest_answer(call_details.get(session, call_id))
        return {"id": answer.id, "text": _said_by(answer)} if answer else {"id": None, "text": ""}


@pages.page("/desk/<int:call_id>/open", REPS, methods=("POST",))
def desk_open(call_id: int) -> Response:
    """Note that the form of a call is open, taken, or closed again; nothing that a trail would speak of."""
    at = clock.now()
    with db.transaction(pages.engine()) as session:
        if forms.flag("gone"):
            ringing.close_form(session, call_id, user().id, at=at)
        else:
            call = call_details.get(session, call_id)
            ringing.open_form(session, call, user().id, at=at, takes=forms.flag("takes"))
    pages.bell().nudge()
    return Response(status=204)


def _form(
    session: Session,
    call: Call | None,
    *,
    problem: Invalid | Conflict | None = None,
    practice: PracticeCall | None = None,
) -> str:
    """Show the form of a call, or that none waits."""
    at = clock.now()
    before = None
    if saved_id := request.args.get("saved", type=int):
        before = session.scalar(call_details.loaded(select(Call).where(Call.id == saved_id)))
    shared = {
        "saved": before
        and (before, call_details.caller_of(session, before), call_details.latest_answer(before)),
        "in_words": answer_words,
    }
    waiting = session.scalars(call_details.loaded(calls.unlogged(since=at - _WAITS)).limit(_QUEUE)).all()
    queue = [
        (row, call_details.caller_of(session, row)) for row in waiting if call is None or row.id != call.id
    ]
    if call is None:
        any_call = session.scalar(select(Call.id).limit(1)) is not None
        older = session.scalar(calls.unlogged(since=at - _NAMED).limit(1)) is not None
        return render_template(
            "desk/empty.html", queue=queue, any_call=any_call, older=older, days=_WAITS.days, **shared
        )
    account = contacts.account_of(session, call.contact) if not practice else Account()
    standard = {each.channel for each in channels.STANDARD}
    campaigns = session.execute(select(Campaign.name, Campaign.channel).order_by(Campaign.name)).all()
    return render_template(
        "desk/desk.html",
        call=call,
        practice=practice,
        live=ringing.is_live(call, at),
        state=ringing.state(call, at),
        who=gettext("Practice call") if practice else call_details.caller_of(session, call),
        account=account,
        people=_people(session, account),
        me=contacts.root(session, call.contact) if not practice else Contact(),
        before=_before(session, call, account),
        deals=session.scalars(
            select(Deal)
            .where(Deal.account_id.in_(contacts.same_company(account.id)))
            .order_by(Deal.id.desc())
            .limit(5)
        ).all(),
        answer=call_details.latest_answer(call),
        sources=answers.commonest(session, since=at - _NAMED),
        campaigns=[name for name, _ in campaigns],
        channels=sorted({channel for _, channel in campaigns} - standard),
        standard=channels.STANDARD,
        unknown=channels.UNKNOWN,
        currencies=rates.currencies(session, call.currency or pages.settings().currency),
        queue=queue,
        problem=problem,
        key=request.form.get("key") or secrets.token_hex(12),
        typed=request.form if problem else None,
        **shared,
    )


def _people(session: Session, account: Account) -> list[Contact]:
    found = select(Contact).where(
        Contact.account_id.in_(contacts.same_company(account.id)), Contact.merged_into_id.is_(None)
    )
    return list(session.scalars(found.order_by(Contact.name.is_(None), Contact.id).limit(_PEOPLE)))


def _before(session: Session, call: Call, account: Account) -> list[Call]:
    """Return the last calls of a company: those of its people, whoever they were merged into."""
    people = contacts.people_of(contacts.same_company(account.id))
    ids = session.scalars(select(Call.id).where(Call.contact_id.in_(people), Call.id != call.id)).all()
    # By their ids, so that the database does not walk all calls by time to find these few.
    newest = select(Call).where(Call.id.in_(ids[-1000:])).order_by(Call.started_at.desc()).limit(5)
    return list(session.scalars(call_details.loaded(newest)))


def _log(job: Work, call_id: int) -> int | None:
    """Save what the rep logged, and return the call to log next."""
    session, call = job.session, call_details.get(job.session, call_id)
    earlier = answers.standing(session, call)
    key = f"desk {call_id} {(forms.text('key') or secrets.token_hex(12))[:80]}"
    if session.scalar(select(Answer.id).where(Answer.source_key == key)) is None:
        _refuse_unseen(earlier)
        _answer(job, call, earlier, key)
        calls.judge(session, call, **forms.judgement(call, complete=False))
        _identify(job, call)
        session.flush()
    job.note("call log", f"call {call.id}")
    following = session.scalar(calls.unlogged(since=job.at - _WAITS).where(Call.id != call.id).limit(1))
    return following.id if following else None


def _refuse_unseen(earlier: Answer | None) -> None:
    """Let nobody correct an answer that his form did not show."""
    if earlier is not None and request.form.get("seen", type=int) != earlier.id:
        raise Conflict(
            gettext(
                "%(who)s has just logged this call: %(what)s. Save again to replace it.",
                who=earlier.asked_by or gettext("someone"),
                what=answer_words(earlier),
            )
        )


def _answer(job: Work, call: Call, earlier: Answer | None, key: str) -> None:
    heard = _heard(job.session, job.at)
    if heard is None:
        if earlier is None:
            _nothing_heard()
        return  # only the judgement is changed
    outcome, source, verbatim = heard
    answers.log(
        job.session,
        outcome,
        asked_at=job.at,
        asked_by=job.user.name,
        call=call,
        campaign=source.campaign if source else None,
        channel=source.channel if source else None,
        verbatim=verbatim,
        source_key=key,
    )


def _heard(session: Session, at: datetime) -> tuple[Outcome, Source | None, str | None] | None:
    """Return what the form says came of asking: the outcome, a source that is known, and other words."""
    words, outcome = forms.text("source") or "", request.form.get("outcome", "")
    verbatim = forms.text("verbatim")
    if outcome in (Outcome.not_asked, Outcome.declined, Outcome.unknown):
        return Outcome(outcome), None, verbatim
    if not words and not verbatim:
        return None
    source = _source(session, words, at)
    if source is None and words and channels.is_unknown(words) and not verbatim:
        return Outcome.unknown, None, words
    if source is None and words:
        # Both are the caller's: what was typed at the question, and what was typed as his words.
        verbatim = f"{words}\n{verbatim}" if verbatim else words
    return Outcome.answered, source, verbatim


def _nothing_heard() -> NoReturn:
    raise Invalid("source", gettext('choose an answer, "Did not ask" or "Would not say"'))


def _identify(job: Work, call: Call) -> None:
    """Give the caller a company and a name, or say which of the company's people it was."""
    session, company, person = job.session, forms.text("company"), forms.text("person")
    if company:
        e164 = phone.parse(call.caller, pages.settings().region).e164
        named = contacts.account_for(session, Clues(company=company, phone=e164), at=job.at)
        mine = contacts.account_of(session, call.contact)
        if mine is not named and mine.name is None and mine.external_id is None:
            contacts.merge(session, Account, mine.id, named.id)
    account = contacts.account_of(session, call.contact)
    chosen = request.form.get("contact", "")
    if chosen == "new":
        name = required(person or "", "person")
        calls.spoke_with(
            session, call, contacts.introduce(session, [], at=job.at, name=name, account=account)
        )
    elif chosen:
        found = session.get(Contact, int(chosen)) if chosen.isdecimal() and len(chosen) < 18 else None
        if found is None:
            raise Invalid("contact", "contact %(told)r not found; choose one from the list", told=chosen)
        if found is not contacts.root(session, call.contact):
            calls.spoke_with(session, call, found)
    if person and chosen != "new":
        contacts.root(session, call.contact).name = required(person, "person")


def _source(session: Session, words: str, at: datetime) -> Source | None:
    # Without a script a digit is typed like any other word.
    if words.isdecimal() and len(words) == 1:
        common = answers.commonest(session, since=at - _NAMED)
        if 1 <= int(words) <= len(common):
            return common[int(words) - 1]
    return answers.understand(session, words)


def _said_by(answer: Answer) -> str:
    return f"{answer.asked_by or gettext('someone')}: {answer_words(answer)}"
