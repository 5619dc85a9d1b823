"""Forms from the supplier's websites: what came, from whom and by which way, and which are spam."""

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tracking.errors import NotFound
from tracking.records import contacts, web_forms
from tracking.reporting import form_notices
from tracking.storage.models import Account, Site, WebForm
from tracking.storage.vocabulary import FormState
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, REPS, Work

_PAGE = 50


@pages.page("/forms", EVERYONE)
def form_list() -> str:
    state = request.args.get("state", "")
    site_id = request.args.get("site", type=int)
    skip = pages.skipped()
    with pages.reading() as session:
        known = FormState(state) if state in list(FormState) else None
        wanted = web_forms.listed(state=known, site_id=site_id)
        rows = session.scalars(wanted.offset(skip).limit(_PAGE + 1)).all()
        return render_template(
            "forms/list.html",
            rows=[(row, _firm(session, row)) for row in rows[:_PAGE]],
            states=state_words(),
            state=state,
            site_id=site_id,
            sites=session.execute(select(Site.id, Site.name).order_by(Site.name)).all(),
            newer=max(skip - _PAGE, 0) if skip else None,
            older=skip + _PAGE if len(rows) > _PAGE else None,
        )


@pages.page("/forms/<int:form_id>", EVERYONE)
def form_page(form_id: int) -> str:
    return _show(form_id)


@pages.page("/forms/<int:form_id>/numbers", REPS, methods=("POST",))
def show_sender(form_id: int) -> str:
    """Show the number and address that a form names in full."""
    pages.change(lambda job: job.note("number show", f"form {_form(job.session, form_id).id}"))
    return _show(form_id, shown=True)


@pages.page("/forms/<int:form_id>/spam", REPS, methods=("POST",))
def judge_form(form_id: int) -> Response:
    def work(job: Work) -> str:
        row = web_forms.get(job.session, form_id)
        if forms.flag("spam"):
            web_forms.mark(job.session, row)
            job.note("form spam", f"form {form_id}")
            return str(gettext("Marked as spam. It counts nowhere."))
        web_forms.unmark(job.session, row)
        job.note("form no spam", f"form {form_id}")
        return str(gettext("No longer marked as spam."))

    flash(pages.change(work))
    return redirect(url_for("web.form_page", form_id=form_id), 303)


def _show(form_id: int, *, shown: bool = False) -> str:
    with pages.reading() as session:
        row = _form(session, form_id)
        may_read = pages.sees_numbers()
        return render_template(
            "forms/form.html",
            form=row,
            firm=_firm(session, row),
            fields=form_notices.fields(row) if may_read else [],
            is_gone=web_forms.is_emptied(row),
            states=state_words(),
            signs=[words for sign, words in _sign_words().items() if sign in row.spam_signs],
            steps=web_forms.journey(session, row),
            shown=shown and may_read,
        )


def _form(session: Session, form_id: int) -> WebForm:
    row = session.get(WebForm, form_id)
    if row is None:
        raise NotFound(gettext("Form %(n)d not found.", n=form_id))
    return row


def _firm(session: Session, row: WebForm) -> Account | None:
    return None if row.contact is None else contacts.account_of(session, row.contact)


def state_words() -> dict[str, tuple[str, str]]:
    """Return of each state its name and the tone in which it is shown."""
    return {
        FormState.counted: (gettext("counted"), "good"),
        FormState.nobody: (gettext("sender unknown"), "none"),
        FormState.spam: (gettext("marked as spam"), "soso"),
    }


def _sign_words() -> dict[str, str]:
    return {
        web_forms.TRAP: gettext("a field that people do not see was filled in"),
        web_forms.FAST: gettext("it was filled in faster than people type"),
        web_forms.RATE: gettext("too many forms came from one address within an hour"),
        web_forms.PROGRAM: gettext("it was sent by a program"),
    }
