"""Short links of a campaign's material: added, changed, ended, with their codes and their visits."""

from typing import Any

from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response as AnyResponse

from reports import sheets
from tracking.errors import Invalid, NotFound
from tracking.records import links
from tracking.records.sources import UTM
from tracking.storage.models import AdMaterial, Campaign, ShortLink
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, PUBLIC, Work

Page = str | tuple[str, int] | AnyResponse


@pages.page("/campaigns/<int:campaign_id>/links", EVERYONE)
def campaign_links(campaign_id: int) -> Page:
    return _show(campaign_id, None)


@pages.page("/campaigns/<int:campaign_id>/links/new", MARKETERS, methods=("POST",))
def new_link(campaign_id: int) -> Page:
    slug, problem = pages.submitted(lambda job: _add(job, campaign_id))
    if problem:
        return _show(campaign_id, problem)
    _follow()
    flash(gettext("%(address)s added.", address=f"{_base()}/{slug}"))
    return redirect(url_for("web.campaign_links", campaign_id=campaign_id), 303)


@pages.page("/links/<int:link_id>", MARKETERS, methods=("GET", "POST"))
def change_link(link_id: int) -> Page:
    campaign_id, problem = pages.submitted(lambda job: _change(job, link_id))
    if campaign_id:
        _follow()
        flash(gettext("Saved."))
        return redirect(url_for("web.campaign_links", campaign_id=campaign_id), 303)
    with pages.reading() as session:
        row = _link(session, link_id)
        page = render_template(
            "links/form.html", link=row, leads_to=links.address(row), base=_base(), problem=problem
        )
    return page, pages.status_of(problem)


@pages.page("/links/<int:link_id>/code.svg", EVERYONE)
def link_code(link_id: int) -> Response:
    """Draw the link's QR code, to be put on what is printed."""
    with pages.reading() as session:
        slug = _link(session, link_id).slug
    named = {"Content-Disposition": f'attachment; filename="{slug}.svg"'}
    return Response(sheets.qr(f"{_base()}/{slug}"), mimetype="image/svg+xml", headers=named)


@pages.page("/l/<path:slug>", PUBLIC)
def link_gone(slug: str) -> tuple[str, int]:
    """Say to whoever followed a short link that it leads nowhere; those that lead on never come here."""
    expired = request.environ.get("ringtrail.link") == "expired"
    return render_template("links/gone.html", expired=expired), 410 if expired else 404


def _show(campaign_id: int, problem: Any) -> tuple[str, int]:
    with pages.reading() as session:
        campaign = session.get(Campaign, campaign_id)
        if campaign is None:
            raise NotFound(gettext("Campaign %(n)d not found.", n=campaign_id))
        rows = links.of_campaign(session, campaign_id)
        pieces = select(AdMaterial).where(AdMaterial.campaign_id == campaign_id).order_by(AdMaterial.name)
        page = render_template(
            "links/list.html",
            campaign=campaign,
            links=[(row, links.leads(row, pages.today())) for row in rows],
            followed=links.followed(session, [row.id for row in rows]),
            material=session.scalars(pieces).all(),
            base=_base(),
            problem=problem,
        )
    return page, pages.status_of(problem)


def _add(job: Work, campaign_id: int) -> str:
    piece = job.session.get(AdMaterial, forms.whole("material") or 0)
    if piece is None or piece.campaign_id != campaign_id:
        raise Invalid("material", "choose an asset of this campaign")
    row = links.add(
        job.session,
        piece,
        forms.text("target") or "",
        slug=forms.text("slug"),
        tags={name: forms.text(name) for name in UTM},
        expires_on=forms.day("expires_on"),
        at=job.at,
        by=job.user.email,
    )
    job.note("link add", f"{row.slug}: {row.target}")
    return row.slug


def _change(job: Work, link_id: int) -> int:
    row = _link(job.session, link_id)
    tags = {name: forms.text(name) for name in UTM}
    links.change(
        job.session, row, target=forms.text("target") or "", expires_on=forms.day("expires_on"), **tags
    )
    job.note("link change", f"{row.slug}: {row.target}, {row.expires_on or 'no last day'}")
    return row.ad_material.campaign_id


def _link(session: Session, link_id: int) -> ShortLink:
    found = select(ShortLink).where(ShortLink.id == link_id)
    row = session.scalar(found.options(joinedload(ShortLink.ad_material).joinedload(AdMaterial.campaign)))
    if row is None:
        raise NotFound(gettext("Short link %(n)d not found.", n=link_id))
    return row


def _base() -> str:
    return f"{pages.settings().links_url}{links.PATH}"


def _follow() -> None:
    """Let this process lead on by the links as they are now; others follow within seconds."""
    with pages.reading() as session:
        current_app.extensions["ringtrail"]["links"].refresh(session)
