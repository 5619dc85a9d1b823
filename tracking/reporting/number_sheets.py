"""Sheets for printers: a tracking number with its codes, under the supplier's name."""

from collections.abc import Sequence

from flask_babel import gettext
from sqlalchemy.orm import Session

from reports import sheets
from reports.sheets import Sheet
from tracking import clock
from tracking.errors import Conflict
from tracking.records import links, logos
from tracking.storage import phone
from tracking.storage.config import Settings
from tracking.storage.models import NumberAssignment, TrackingNumber

Printed = tuple[TrackingNumber, NumberAssignment | None]
"""A number, and the ad material that it is on."""


def pages(session: Session, settings: Settings, wanted: Sequence[Printed]) -> list[Sheet]:
    """Return what is printed for each number; Conflict where its code would lead nowhere."""
    if not settings.is_public:
        raise not_public(settings)
    return [_sheet(session, settings, row, held) for row, held in wanted]


def pdf(session: Session, settings: Settings, wanted: Sequence[Printed]) -> bytes:
    """Return a page for each number as PDF; Conflict where its code would lead nowhere."""
    return sheets.pdf(pages(session, settings, wanted), settings.company, logos.current(session))


def not_public(settings: Settings) -> Conflict:
    """Return why no sheet is printed, and what to set."""
    return Conflict(
        "No number sheet can be printed while the public address is %(address)s: only this machine "
        "or its network can open it. Set the public address under Settings, Company, or RINGTRAIL_BASE_URL",
        address=settings.base_url,
    )


def _sheet(session: Session, settings: Settings, row: TrackingNumber, held: NumberAssignment | None) -> Sheet:
    shown = phone.show(row.number)
    material = held.ad_material if held else None
    today = clock.now().astimezone(settings.zone).date()
    link = links.of_material(session, material.id, today) if material else None
    parts = [material.campaign.name, material.edition] if material else []
    return Sheet(
        number=shown.international,
        national=shown.national,
        call=f"tel:{row.number}",
        # The page that the material advertises; without one, the page that shows the number.
        link=f"{settings.links_url}{links.PATH}/{link.slug}" if link else f"{settings.base_url}/t/{row.id}",
        title=material.name if material else gettext("Next available number"),
        subtitle=" · ".join(filter(None, parts)),
        steps=[
            gettext("Check the number on the proof digit by digit."),
            gettext("Scan both codes with a phone and check the number."),
            gettext("Call from an outside phone: the sales office rings and you hear the ringing tone."),
            gettext("The call appears in Ringtrail under this asset within a minute."),
            gettext('The rep asks: "How did you hear about us?"'),
        ],
        captions=(gettext("Scan to call"), gettext("Scan to open"), gettext("Before you print")),
    )
