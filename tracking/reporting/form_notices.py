"""The mail that tells the desk of a form: what it says, and the journey that led to it."""

from email.message import EmailMessage

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracking.language import channels, formatting
from tracking.language.words import touch_word
from tracking.records import contacts, web_forms
from tracking.records.web_forms import Step
from tracking.reporting import mail, outbox
from tracking.storage.config import Settings
from tracking.storage.models import OutgoingMail, Site, User, WebForm
from tracking.storage.vocabulary import FormState

_FIELDS = {
    "person": _("Name"),
    "company": _("Company"),
    "email": _("Email"),
    "phone": _("Phone"),
    "message": _("Message"),
    "heard_from": _("How did you hear about us?"),
}


def fields(row: WebForm) -> list[tuple[str, str, str]]:
    """Return the fields of a form as people read them: what they mean or "", their names, what they say."""
    told = row.told or {}
    # An answer of the ready list is kept as the channel that it names.
    said = told | ({"heard_from": channels.label(told["heard_from"])} if "heard_from" in told else {})
    known = [(name, str(_FIELDS[name]), said[name]) for name in web_forms.KNOWN if name in said]
    return [*known, *(("", name, value) for name, value in (row.others or {}).items())]


def address(site: Site, settings: Settings) -> str | None:
    """Return who is told of the forms of a site; None where nobody is."""
    return site.notice_to or settings.form_notices or None


def announce(session: Session, settings: Settings, row: WebForm) -> None:
    """Put the mail that tells of a form in line, where there is somebody to tell and mail can be sent."""
    to = address(row.site, settings)
    if to is None or not mail.is_possible(settings):
        return
    # A user reads it in his own language, whoever else in that of the site's setting.
    user = session.scalar(select(User).where(func.lower(User.email) == to.casefold(), User.active))
    language = (user.language if user else None) or row.site.notice_language or "en"
    outbox.put(session, outbox.FORM, to, language, at=row.received_at, form_id=row.id)


def letter(session: Session, settings: Settings, queued: OutgoingMail) -> EmailMessage | None:
    """Return the mail of a form; None where the form has become spam meanwhile, or what it said is gone.

    It speaks the language that is spoken.
    """
    row = session.get(WebForm, queued.form_id)
    if row is None or row.state is FormState.spam or web_forms.is_emptied(row):
        return None
    message = EmailMessage()
    message["To"] = queued.address
    message["Auto-Submitted"] = "auto-generated"
    # What a stranger has written stands in no header.
    message["Subject"] = gettext("Form from %(site)s", site=row.site.name)
    message.set_content("\n".join(_lines(session, settings, row)) + "\n")
    return message


def _lines(session: Session, settings: Settings, row: WebForm) -> list[str]:
    lines = [f"{label}: {value}" for _means, label, value in fields(row)]
    lines += ["", gettext("Sent from %(page)s", page=row.page)]
    if row.contact is not None:
        firm = contacts.account_of(session, row.contact)
        if firm.name:
            lines.append(gettext("Company: %(name)s", name=firm.name))
    steps = web_forms.journey(session, row)
    lines += ["", gettext("Journey so far") + ":"]
    lines += [f"- {step_words(step, settings)}" for step in steps] or [f"- {gettext('nothing known before')}"]
    return [*lines, "", f"{settings.base_url}/forms/{row.id}"]


def step_words(step: Step, settings: Settings) -> str:
    """Say one step of a journey in one line."""
    source = step.campaign or (channels.word(step.channel) if step.channel else gettext("unknown source"))
    return f"{formatting.moment(step.at, settings)}: {touch_word(step.kind)}, {source}"
