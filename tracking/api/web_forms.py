"""Forms from the supplier's websites in the API: what came, from whom, by which way, and which are spam."""

from datetime import datetime

from pydantic import Field

from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.forms import Body, ById, Flag, Line, Listing, Moment, Page, Shown, page
from tracking.api.problems import pointing_at
from tracking.api.routes import Context, Section
from tracking.records import sites, web_forms
from tracking.storage import phone
from tracking.storage.models import WebForm
from tracking.storage.vocabulary import FormState

routes = Section("forms", "What people send from the supplier's websites.", write=Scope.write_calls)


class FormQuery(Listing):
    """Which forms; several conditions must all hold."""

    site: Line | None = Field(None, description="Name of the website.")
    state: FormState | None = None
    since: Moment | None = Field(None, alias="from", description="Received at this moment or later.")
    until: Moment | None = Field(None, alias="to", description="Received before this moment.")


class FormVerdict(Body):
    """Whether a form is spam."""

    spam: Flag = Field(description="Spam is kept and counts nowhere; what it has counted for is taken back.")


class ShownForm(Shown):
    """A form; email and telephone in part, and no other field, unless the token has read:personal."""

    id: int
    site_id: int
    site: str
    received_at: datetime
    page: str = Field(description="Host and path of the page it was sent from.")
    state: FormState
    spam_signs: list[str] = Field(description="Why it was taken for spam when it came.")
    contact_id: int | None = Field(description="Null where nothing tells who sent it, or where it is spam.")
    account_id: int | None
    touch_id: int | None
    campaign: str | None
    channel: str | None
    email: str | None
    phone: str | None
    fields: dict[str, str] | None = Field(
        description="All that was entered, by meaning or name; null without read:personal, and once deleted."
    )


@routes.get("/forms")
def list_forms(context: Context, query: FormQuery) -> Page[ShownForm]:
    """List forms, the latest first."""
    site_id = None
    if query.site is not None:
        with pointing_at("site"):
            site_id = sites.get(context.session, query.site).id
    rows = web_forms.listed(state=query.state, site_id=site_id, since=query.since, until=query.until)
    return page(context.session, rows, query, _show)


@routes.get("/forms/<int:id>")
def get_form(context: Context, path: ById) -> ShownForm:
    """Show a form."""
    return _show(web_forms.find(context.session, path.id))


@routes.change("/forms/<int:id>")
def judge_form(context: Context, path: ById, body: FormVerdict) -> ShownForm:
    """Mark a form as spam, or as not spam."""
    row = web_forms.get(context.session, path.id)
    # Said again, it changes nothing.
    if body.spam and row.state is not FormState.spam:
        web_forms.mark(context.session, row)
    elif not body.spam and row.state is FormState.spam:
        web_forms.unmark(context.session, row)
    return _show(row)


def _show(row: WebForm) -> ShownForm:
    told = row.told or {}
    full = access.shows_in_full(not web_forms.is_emptied(row))
    fields = None if web_forms.is_emptied(row) else {**(row.others or {}), **told}
    touch = row.touch
    return ShownForm(
        id=row.id,
        site_id=row.site_id,
        site=row.site.name,
        received_at=row.received_at,
        page=row.page,
        state=row.state,
        spam_signs=row.spam_signs,
        contact_id=row.contact_id,
        account_id=row.contact.account_id if row.contact else None,
        touch_id=row.touch_id,
        campaign=touch.campaign.name if touch and touch.campaign else None,
        channel=touch.channel if touch else None,
        email=told.get("email") if full else phone.partly(told.get("email")),
        phone=told.get("phone") if full else phone.partly(told.get("phone")),
        fields=fields if full else None,
    )
