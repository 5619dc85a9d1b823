"""Privacy: one person handed out or taken out, how long what is kept, the record of processing."""

import json

from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock
from tracking.access import jobs
from tracking.errors import Conflict, Invalid, NotFound, say
from tracking.keeping import erasure, people, processing, retention
from tracking.storage.models import Erasure
from tracking.web import forms, pages
from tracking.web.pages import ADMINISTRATORS, Work

_RECEIPTS = 50


@pages.page("/privacy", ADMINISTRATORS, methods=("GET", "POST"))
def privacy() -> tuple[str, int]:
    found, problem = None, None
    with pages.reading() as session:
        # By POST, so that no number stands in an address, a log or the history of a browser.
        if request.method == "POST":
            try:
                person = people.by_text(session, forms.text("person") or "", pages.settings().region)
                found = people.summary(session, person) | {"contact": min(person.contacts, default=0)}
            except (Invalid, NotFound, Conflict) as error:
                problem = error
        page = render_template(
            "staff/privacy.html",
            found=found,
            problem=problem,
            plan=retention.plan(session, pages.settings(), at=clock.now()),
            classes=_classes(),
            receipts=session.scalars(select(Erasure).order_by(Erasure.id.desc()).limit(_RECEIPTS)).all(),
        )
    return page, 404 if isinstance(problem, NotFound) else pages.status_of(problem)


@pages.page("/privacy/people/<int:contact_id>/export", ADMINISTRATORS, methods=("POST",))
def export_person(contact_id: int) -> Response:
    with pages.reading() as session:
        person = _person(session, contact_id)
        told = people.export(session, person, erasure.traces(session, pages.settings(), person).events)
    pages.change(lambda job: job.note("person export", f"contact {contact_id}"))
    answer = Response(json.dumps(told, ensure_ascii=False, indent=2), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=f"person-{contact_id}.json")
    return answer


@pages.page("/privacy/people/<int:contact_id>/erase", ADMINISTRATORS, methods=("POST",))
def erase_person(contact_id: int) -> AnyResponse:
    def work(job: Work) -> int:
        _person(job.session, contact_id)
        label = say("Erase contact %(number)s", number=contact_id)
        job.note("person erase asked", f"contact {contact_id}")
        arguments = {"contact": contact_id, "by": job.user.email}
        return jobs.enqueue(job.session, "erasure", label, arguments, by=job.user.email, at=job.at).id

    return redirect(url_for("web.job_page", job_id=pages.change(work)), 303)


@pages.page("/privacy/retention", ADMINISTRATORS, methods=("POST",))
def apply_retention() -> AnyResponse:
    def work(job: Work) -> int:
        confirmed = forms.whole("confirmed") or 0
        job.note("retention asked", str(confirmed))
        label = say("Delete data past its retention period")
        arguments = {"by": job.user.email, "confirmed": confirmed}
        return jobs.enqueue(job.session, "retention", label, arguments, by=job.user.email, at=job.at).id

    return redirect(url_for("web.job_page", job_id=pages.change(work)), 303)


@pages.page("/privacy/receipts/<receipt>", ADMINISTRATORS)
def erasure_receipt(receipt: str) -> str:
    with pages.reading() as session:
        row = erasure.receipt_of(session, receipt)
        return render_template("staff/receipt.html", row=row, kinds=_kinds())


@pages.page("/privacy/record", ADMINISTRATORS)
def processing_record() -> str:
    with pages.reading() as session:
        parts = processing.record(session, pages.settings(), at=clock.now())
        return render_template("staff/record.html", parts=parts)


def _person(session: Session, contact_id: int) -> people.Person:
    person = people.by_contacts(session, [contact_id])
    if not person.is_anybody:
        raise NotFound(gettext("Contact %(n)d not found.", n=contact_id))
    return person


def _classes() -> dict[str, str]:
    return {
        retention.EVENTS: gettext("Phone providers' events as received"),
        retention.NUMBERS: gettext("Phone numbers, names and forms"),
        retention.VISITORS: gettext("Website visitors who never called or sent a form"),
    }


def _kinds() -> dict[str, str]:
    return {
        "names": gettext("names"),
        "phone numbers and email addresses": gettext("phone numbers and email addresses"),
        "calls": gettext("calls"),
        "words of answers": gettext("answers in the caller's own words"),
        "reports of providers": gettext("phone providers' events"),
        "browsers": gettext("browsers on your website"),
        "forms": gettext("forms"),
        "texts": gettext("other texts"),
        "replies of the API": gettext("stored API replies"),
        "files": gettext("files"),
    }
