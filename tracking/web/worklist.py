"""What still waits: calls that nobody logged, callers to call back, who asks; and a call entered by hand."""

import secrets
from datetime import timedelta

from flask import redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock
from tracking.errors import Invalid
from tracking.records import answers
from tracking.storage import phone
from tracking.storage.models import Call, TrackingNumber
from tracking.storage.names import required
from tracking.storage.vocabulary import CallStatus
from tracking.telephony import call_details, calls
from tracking.telephony.calls import MANUAL, CallEvent
from tracking.web import forms, pages
from tracking.web.pages import REPS, Work, some_of

DAYS = (7, 14, 30)
"""Periods that the page offers."""
_SHOWN = 50
_WENT = {
    "taken": CallStatus.completed,
    "missed": CallStatus.missed,
    "voicemail": CallStatus.voicemail,
}


@pages.page("/desk/unasked", REPS)
def unasked() -> str:
    asked = request.args.get("days", type=int)
    days = asked if asked in DAYS else 30
    since = clock.now() - timedelta(days=days)
    start = pages.skipped()
    with pages.reading() as session:
        late = calls.unlogged(since=since)
        found = some_of(session, Call, late, start, _SHOWN + 1, *call_details.loading())
        missed = session.scalars(call_details.loaded(calls.to_call_back(since=since)).limit(_SHOWN)).all()
        counted_since = answers.countable(session, since=since)
        asking = answers.asking(session, since=counted_since)
        return render_template(
            "desk/unasked.html",
            waiting=[(call, call_details.caller_of(session, call)) for call in found[:_SHOWN]],
            newer=max(start - _SHOWN, 0) if start else None,
            older=start + _SHOWN if len(found) > _SHOWN else None,
            missed=[(call, call_details.caller_of(session, call)) for call in missed],
            asking=asking,
            counted_since=counted_since if counted_since > since else None,
            all_asked=sum(row.asked for row in asking),
            all_qualifying=sum(row.qualifying for row in asking),
            days=days,
            choices=DAYS,
        )


@pages.page("/calls/new", REPS, methods=("GET", "POST"))
def new_call() -> tuple[str, int] | AnyResponse:
    call_id, problem = pages.submitted(_enter)
    if call_id:
        return redirect(url_for("web.desk", call=call_id), 303)
    with pages.reading() as session:
        numbers = session.scalars(select(TrackingNumber).order_by(TrackingNumber.number)).all()
        page = render_template(
            "desk/new.html",
            numbers=numbers,
            now=clock.now().astimezone(pages.settings().zone).strftime("%Y-%m-%dT%H:%M"),
            key=request.form.get("key") or secrets.token_hex(16),
            problem=problem,
        )
    return page, pages.status_of(problem)


def _enter(job: Work) -> int:
    region = pages.settings().region
    started = forms.moment("started_at", pages.settings().zone)
    if started is None:
        raise Invalid("started_at", gettext("enter the call time, such as 2026-03-01 14:30"))
    if started > job.at + timedelta(minutes=5):
        raise Invalid(
            "started_at",
            "%(told)r is in the future; enter a time in the past",
            told=forms.text("started_at") or "",
        )
    minutes = forms.whole("minutes")
    if minutes is not None and not 0 <= minutes <= 24 * 60:
        raise Invalid("minutes", "must be 0 to 1440 minutes, not %(told)s", told=minutes)
    went = _WENT.get(request.form.get("went") or "taken")
    if went is None:
        raise Invalid(
            "went", "%(told)r is not an option; choose one from the list", told=request.form.get("went", "")
        )
    caller, withheld = forms.text("caller"), forms.flag("withheld")
    if caller and withheld:
        raise Invalid("caller", gettext('enter a number or tick "withheld", not both'))
    if not caller and not withheld:
        raise Invalid("caller", gettext('enter a number or tick "withheld"'))
    name = forms.text("caller_name")
    event = CallEvent(
        provider=MANUAL,
        provider_call_id=(forms.text("key") or secrets.token_hex(16))[:200],
        dialled=(phone.require(forms.text("dialled") or "", region, "dialled"),),
        caller=phone.require(caller, region, "caller") if caller else None,
        caller_name=required(name, "caller_name") if name else None,
        started_at=started,
        status=went,
        talk_s=None if minutes is None or went is CallStatus.missed else minutes * 60,
    )
    call = calls.record(job.session, [event], region=region)[0].call
    job.note("call add", f"call {call.id}")
    return call.id
