"""The rep at the telephone: who is calling, where he heard of us, and on to the next call."""

import secrets
from datetime import datetime, timedelta

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload
from werkzeug.wrappers import Response as AnyResponse

from tracking import answers, calls, clock, contacts, db, phone
from tracking.answers import Source
from tracking.calls import CallEvent
from tracking.contacts import Clues
from tracking.errors import Conflict, Invalid, NotFound
from tracking.models import Account, Answer, Call, Campaign, Contact, Deal, NumberAssignment, TrackingNumber
from tracking.vocabulary import CallStatus, LeadStatus, Outcome
from tracking.web import forms
from tracking.web.calls import in_words
from tracking.web.pages import REPS, Pages, Work, user

BY_HAND = "manual"
_BACK = timedelta(days=30)
"""How far back calls wait to be logged, and the asked rate looks."""
_NAMED = timedelta(days=365)
"""How far back the commonest answers are counted."""
_LIVE = timedelta(minutes=10)
"""After this long a call that is said to be on the line is one whose end was never reported."""
_QUEUE = 12

Page = str | tuple[str, int] | AnyResponse


def add(pages: Pages) -> None:
    """Add the pages of the rep."""

    @pages.page("/desk", REPS)
    def desk() -> Page:
        with pages.reading() as session:
            asked_for = request.args.get("call", type=int)
            call = _call(session, asked_for) if asked_for else _next(session, clock.now())
            return _form(pages, session, call)

    @pages.page("/desk/<int:call_id>", REPS, methods=("POST",))
    def log_call(call_id: int) -> Page:
        try:
            following = pages.change(lambda job: _log(job, call_id, pages))
        except (Invalid, Conflict) as error:
            with pages.reading() as session:
                page = _form(pages, session, _call(session, call_id), problem=error)
            return page, 409 if isinstance(error, Conflict) else 422
        flash(gettext("Saved."))
        return redirect(url_for("web.desk", call=following) if following else url_for("web.desk"), 303)

    @pages.page("/desk/now", REPS, methods=("POST",))
    def desk_now() -> AnyResponse:
        """Tell what is new since the page was made: calls that ring, and others at the same call.

        It notes who has the form open, so it is no GET; what it writes is no change for the trail.
        """
        at = clock.now()
        with db.transaction(pages.engine) as session:
            others, saved = [], None
            if call_id := request.form.get("call", type=int):
                call = _call(session, call_id)
                others = calls.sit_down(session, call, user().id, at=at)
                answer = answers.standing(session, call)
                saved = answer.id if answer else None
            ringing = [
                {"id": call.id, "title": _who(session, call), "dialled": _dialled(call)}
                for call in session.scalars(_ringing(at))
            ]
        return jsonify({"others": others, "saved": saved, "ringing": ringing})

    @pages.page("/desk/unasked", REPS)
    def unasked() -> str:
        at = clock.now()
        with pages.reading() as session:
            waiting = session.scalars(_loaded(calls.unlogged(since=at - _BACK)).limit(100)).all()
            missed = session.scalars(_missed(at)).all()
            return render_template(
                "desk/unasked.html",
                waiting=[(call, _who(session, call)) for call in waiting],
                missed=[(call, _who(session, call)) for call in missed],
                asking=answers.asking(session, since=at - _BACK),
                days=_BACK.days,
            )

    @pages.page("/calls/new", REPS, methods=("GET", "POST"))
    def new_call() -> Page:
        problem = None
        if request.method == "POST":
            try:
                call_id = pages.change(lambda job: _enter(job, pages))
            except Invalid as error:
                problem = error
            else:
                return redirect(url_for("web.desk", call=call_id), 303)
        with pages.reading() as session:
            numbers = session.scalars(select(TrackingNumber).order_by(TrackingNumber.number)).all()
            now = clock.now().astimezone(pages.settings.zone).strftime("%Y-%m-%dT%H:%M")
            page = render_template("desk/new.html", numbers=numbers, now=now, problem=problem)
        return (page, 422) if problem else page


def _form(
    pages: Pages, session: Session, call: Call | None, *, problem: Invalid | Conflict | None = None
) -> str:
    """Show the form of a call, or that none waits."""
    at = clock.now()
    waiting = session.scalars(_loaded(calls.unlogged(since=at - _BACK)).limit(_QUEUE)).all()
    queue = [(row, _who(session, row)) for row in waiting if call is None or row.id != call.id]
    if call is None:
        return render_template("desk/empty.html", queue=queue, any_call=_any_call(session))
    account = contacts.account_of(session, call.contact)
    people = session.scalars(
        select(Contact).where(Contact.account_id == account.id).order_by(Contact.id).limit(10)
    ).all()
    before = session.scalars(
        _loaded(select(Call).where(Call.contact_id.in_([person.id for person in people])))
        .where(Call.id != call.id)
        .order_by(Call.started_at.desc())
        .limit(5)
    ).all()
    deals = session.scalars(
        select(Deal).where(Deal.account_id == account.id).order_by(Deal.id.desc()).limit(5)
    ).all()
    answer = _standing(call)
    channels = session.scalars(select(Campaign.channel).distinct().order_by(Campaign.channel)).all()
    return render_template(
        "desk/desk.html",
        call=call,
        who=_who(session, call),
        account=account,
        people=people,
        before=before,
        deals=deals,
        answer=answer,
        in_words=in_words,
        sources=answers.commonest(session, since=at - _NAMED),
        campaigns=session.scalars(select(Campaign.name).order_by(Campaign.name)).all(),
        channels=channels,
        queue=queue,
        problem=problem,
        key=request.form.get("key") or secrets.token_hex(12),
        typed=request.form if problem else None,
    )


def _log(job: Work, call_id: int, pages: Pages) -> int | None:
    """Save what the rep logged, and return the call to log next."""
    session, call = job.session, _call(job.session, call_id)
    key = f"desk {forms.text('key') or secrets.token_hex(12)}"
    earlier = answers.standing(session, call)
    if earlier is not None and earlier.source_key != key:
        seen = request.form.get("seen", type=int)
        if seen != earlier.id:
            raise Conflict(
                gettext(
                    "%(who)s has logged this call meanwhile: %(what)s. Save again to correct that.",
                    who=earlier.asked_by or gettext("somebody"),
                    what=in_words(earlier),
                )
            )
    words, outcome = forms.text("source") or "", request.form.get("outcome", "")
    verbatim = forms.text("verbatim")
    source: Source | None = None
    if outcome in (Outcome.not_asked, Outcome.declined, Outcome.unknown):
        told = Outcome(outcome)
    elif words or verbatim:
        told = Outcome.answered
        source = _source(session, words, job.at)
        verbatim = verbatim or (words if source is None else None)
    elif outcome or earlier is None:
        raise Invalid(
            "source", gettext("is empty; pick an answer, or say that you did not ask or he would not say")
        )
    else:
        told = None  # only the judgement is changed
    if told is not None:
        answers.log(
            session,
            told,
            asked_at=job.at,
            asked_by=job.user.name,
            call=call,
            campaign=source.campaign if source else None,
            channel=source.channel if source else None,
            verbatim=verbatim,
            source_key=key,
        )
    _judge(job, call, pages)
    company, person = forms.text("company"), forms.text("person")
    if company or person:
        e164 = phone.parse(call.caller, pages.settings.region).e164
        account = contacts.account_of(session, call.contact)
        if e164:
            clues = Clues(company=company or account.name, person=person, phone=e164)
            contacts.account_for(session, clues, at=job.at)
        elif company:
            contacts.rename(account, company)
        if person:
            call.contact.name = person
    job.note("call log", f"call {call.id}")
    session.flush()
    following = session.scalar(calls.unlogged(since=job.at - _BACK).where(Call.id != call.id).limit(1))
    return following.id if following else None


def _judge(job: Work, call: Call, pages: Pages) -> None:
    currency = call.currency or pages.settings.currency
    value = forms.amount("value", currency)
    judged = request.form.get("lead_status", "")
    if judged not in ("", *LeadStatus):
        raise Invalid("lead_status", f"{judged!r} is no judgement; choose good_lead or not_a_lead")
    # What a form shows and sends back empty is taken away; what it does not show stays.
    gone = {"lead_status": not judged, "value": value is None}
    calls.judge(
        job.session,
        call,
        lead_status=LeadStatus(judged) if judged else None,
        value_minor=value,
        currency=currency if value is not None else None,
        note=request.form.get("note", "").strip() if "note" in request.form else None,
        spam=forms.flag("spam") if "spam_shown" in request.form else None,
        clear=[name for name, empty in gone.items() if empty and name in request.form],
    )


def _source(session: Session, words: str, at: datetime) -> Source | None:
    # Without a script a digit is typed like any other word.
    if words.isdigit() and len(words) == 1:
        common = answers.commonest(session, since=at - _NAMED)
        if 1 <= int(words) <= len(common):
            return common[int(words) - 1]
    return answers.understand(session, words)


def _enter(job: Work, pages: Pages) -> int:
    started = forms.moment("started_at", pages.settings.zone) or job.at
    if started > job.at + timedelta(minutes=5):
        raise Invalid("started_at", gettext("lies in the future; a call is entered when it has rung"))
    minutes = forms.whole("minutes")
    if minutes is not None and minutes < 0:
        raise Invalid("minutes", gettext("is negative; give 0 or more"))
    dialled = phone.require(forms.text("dialled") or "", pages.settings.region, "dialled")
    caller = forms.text("caller")
    if caller is not None:
        caller = phone.require(caller, pages.settings.region, "caller")
    event = CallEvent(
        provider=BY_HAND,
        provider_call_id=forms.text("key") or secrets.token_hex(16),
        dialled=(dialled,),
        caller=caller,
        caller_name=forms.text("caller_name"),
        started_at=started,
        status=CallStatus.missed if request.form.get("went") == "missed" else CallStatus.completed,
        talk_s=None if minutes is None else minutes * 60,
    )
    call = calls.record(job.session, [event], region=pages.settings.region)[0].call
    job.note("call add", f"call {call.id}")
    return call.id


def _call(session: Session, call_id: int) -> Call:
    row = session.scalar(_loaded(select(Call).where(Call.id == call_id)))
    if row is None:
        raise NotFound(gettext("There is no call %(n)d.", n=call_id))
    return row


def _next(session: Session, at: datetime) -> Call | None:
    return session.scalar(_loaded(calls.unlogged(since=at - _BACK)).limit(1))


def _ringing(at: datetime) -> Select[Call]:
    live = (CallStatus.ringing, CallStatus.answered)
    return _loaded(calls.unlogged(since=at - _LIVE)).where(Call.status.in_(live)).limit(5)


def _missed(at: datetime) -> Select[Call]:
    return _loaded(
        select(Call)
        .where(
            Call.started_at >= at - timedelta(days=7),
            Call.status.in_((CallStatus.missed, CallStatus.voicemail)),
            Call.spam.is_(False),
        )
        .order_by(Call.started_at.desc())
        .limit(50)
    )


def _loaded(query: Select[Call]) -> Select[Call]:
    return query.options(
        joinedload(Call.contact).joinedload(Contact.account),
        joinedload(Call.assignment).joinedload(NumberAssignment.ad_material),
        selectinload(Call.answers),
    )


def _any_call(session: Session) -> bool:
    return session.scalar(select(Call.id).limit(1)) is not None


def _standing(call: Call) -> Answer | None:
    corrected = {answer.corrects_id for answer in call.answers}
    return next((answer for answer in call.answers if answer.id not in corrected), None)


def _who(session: Session, call: Call) -> str:
    """Return the company or person who calls, as far as known."""
    account: Account = contacts.account_of(session, call.contact)
    return account.name or call.contact.name or call.caller_name or ""


def _dialled(call: Call) -> str:
    held = call.assignment
    if held is None:
        return call.dialled
    return f"{held.ad_material.campaign.name}: {held.ad_material.name}"
