"""Search over everything, from every page: companies, campaigns, ad material, numbers, deals and calls."""

from flask import render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict

from tracking.records import contacts
from tracking.storage.models import AdMaterial, Call, Campaign, Deal, TrackingNumber
from tracking.telephony import call_details
from tracking.web import call_search, pages
from tracking.web.pages import EVERYONE, sees_numbers

_FEW = 8
_LEAST_DIGITS = 3


@pages.page("/search", EVERYONE)
def search() -> str:
    text = " ".join(request.args.get("q", "").split())[:200]
    with pages.reading() as session:
        return render_template("search.html", text=text, **(_found(session, text) if text else {}))


def _found(session: Session, text: str) -> dict[str, object]:
    """Return the first few of each kind that a text names."""
    region = pages.settings().region
    campaigns = select(Campaign).where(Campaign.name.icontains(text, autoescape=True)).order_by(Campaign.name)
    materials = (
        select(AdMaterial)
        .where(AdMaterial.name.icontains(text, autoescape=True))
        .order_by(AdMaterial.name)
        .options(joinedload(AdMaterial.campaign))
    )
    digits = "".join(sign for sign in text if sign.isdigit())
    only_digits = len(digits) >= _LEAST_DIGITS and not any(sign.isalpha() for sign in text)
    numbers = (
        select(TrackingNumber)
        .where(TrackingNumber.number.contains(digits.lstrip("0") or digits))
        .order_by(TrackingNumber.number)
    )
    deals = (
        select(Deal)
        .where(contacts.is_of(Deal.account_id, text, by_number=sees_numbers()) | (Deal.external_id == text))
        .order_by(Deal.id.desc())
        .options(joinedload(Deal.account))
    )
    calls = call_search.search(session, pages.settings(), MultiDict({"q": text})).query
    newest = calls.order_by(Call.started_at.desc()).limit(_FEW)
    rows = session.scalars(call_details.loaded(newest)).all()
    return {
        "companies": session.scalars(
            contacts.matching(text, region, by_number=sees_numbers()).limit(_FEW)
        ).all(),
        "campaigns": session.scalars(campaigns.limit(_FEW)).all(),
        "materials": session.scalars(materials.limit(_FEW)).all(),
        "numbers": session.scalars(numbers.limit(_FEW)).all() if only_digits else [],
        "deals": [
            (row, contacts.root(session, row.account)) for row in session.scalars(deals.limit(_FEW)).all()
        ],
        "calls": [(row, call_details.company_of(session, row)) for row in rows],
    }
