"""Websites of the supplier: which pages may report, their snippet, their pool and how it stands."""

from datetime import timedelta
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tracking import clock, collector
from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import sites, web_forms
from tracking.reporting import form_notices, mail
from tracking.storage import phone
from tracking.storage.config import COLLECTOR_PATH
from tracking.storage.models import Call, CallHolder, Site, SiteHour
from tracking.storage.vocabulary import Certainty
from tracking.telephony import holders, numbers, pools, practice
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, REPS, Work

Page = str | tuple[str, int] | Response
_SPAN = timedelta(days=28)


@pages.page("/sites", EVERYONE)
def site_list() -> str:
    at = clock.now()
    with pages.reading() as session:
        rows = session.scalars(select(Site).order_by(Site.name)).all()
        return render_template(
            "sites/list.html", sites=[(row, pools.health(session, row, at=at)) for row in rows]
        )


@pages.page("/sites/new", MARKETERS, methods=("GET", "POST"))
def new_site() -> Page:
    site_id, problem = pages.submitted(_add)
    if site_id:
        flash(gettext("Website added. Paste the snippet into its pages."))
        return redirect(url_for("web.site_page", site_id=site_id), 303)
    return render_template("sites/form.html", site=None, problem=problem), pages.status_of(problem)


@pages.page("/sites/<int:site_id>", EVERYONE)
def site_page(site_id: int) -> str:
    return _show(site_id)


@pages.page("/sites/<int:site_id>/edit", MARKETERS, methods=("GET", "POST"))
def change_site(site_id: int) -> Page:
    def work(job: Work) -> bool:
        site = _site(job.session, site_id)
        sites.change(job.session, site, **_told())
        job.note("site change", site.name)
        return True

    done, problem = pages.submitted(work)
    if done:
        flash(gettext("Saved."))
        return redirect(url_for("web.site_page", site_id=site_id), 303)
    with pages.reading() as session:
        page = render_template("sites/form.html", site=_site(session, site_id), problem=problem)
    return page, pages.status_of(problem)


@pages.page("/sites/<int:site_id>/pool", MARKETERS, methods=("POST",))
def change_pool(site_id: int) -> Page:
    def work(job: Work) -> str:
        site = _site(job.session, site_id)
        region = pages.settings().region
        if gone := forms.text("remove"):
            row = numbers.get(job.session, gone, region)
            pools.remove(job.session, row, at=job.at)
            job.note("pool remove", f"{row.number}: {site.name}")
            return str(gettext("%(number)s removed from the pool.", number=row.number))
        told = (forms.text("numbers") or "").replace(",", "\n").split("\n")
        found = [numbers.get(job.session, text, region) for text in told if text.strip()]
        if not found:
            raise Invalid("numbers", "enter at least one tracking number from your inventory")
        for row in found:
            pools.put(job.session, site, row, at=job.at)
            job.note("pool add", f"{row.number}: {site.name}")
        return str(
            ngettext("%(num)d number added to the pool.", "%(num)d numbers added to the pool.", len(found))
        )

    try:
        flash(pages.change(work))
    except (Invalid, Conflict, NotFound) as error:
        return _show(site_id, problem=error), 404 if isinstance(error, NotFound) else pages.status_of(error)
    return redirect(url_for("web.site_page", site_id=site_id), 303)


@pages.page("/sites/<int:site_id>/call", REPS, methods=("POST",))
def practise_on_site(site_id: int) -> Page:
    """Make a practice call to a number that a page shows, to see what a real one would bring."""

    def work(job: Work) -> int:
        _site(job.session, site_id)
        given = {"number": forms.text("number") or "", "caller": forms.text("caller") or ""}
        call = practice.ring(job.session, **given, at=job.at, region=pages.settings().region)
        job.note("practice call", f"call {call.id}")
        return call.id

    call_id, problem = pages.submitted(work)
    if not call_id:
        return _show(site_id, refused=problem), pages.status_of(problem)
    flash(gettext("Practice call made. Figures do not count it."))
    return redirect(url_for("web.call_page", call_id=call_id), 303)


def _show(site_id: int, *, problem: Exception | None = None, refused: Exception | None = None) -> str:
    at = clock.now()
    with pages.reading() as session:
        site = _site(session, site_id)
        health = pools.health(session, site, at=at, replays=True)
        sums = session.execute(
            select(
                *(func.coalesce(func.sum(getattr(SiteHour, name)), 0) for name in sites.SUMS),
            ).where(SiteHour.site_id == site.id, SiteHour.hour >= at - _SPAN)
        ).one()
        sure = dict(
            session.execute(
                select(CallHolder.certainty, func.count())
                .where(CallHolder.site_id == site.id, CallHolder.started_at >= at - _SPAN)
                .where(CallHolder.call.has(Call.spam.is_(False)))
                .group_by(CallHolder.certainty)
            ).all()
        )
        return render_template(
            "sites/site.html",
            site=site,
            health=health,
            pool=[(row, row.tracking_number) for row in pools.numbers_of(session, site)],
            free=_free(session),
            sums=dict(zip(sites.SUMS, sums, strict=True)),
            sure={kind: sure.get(kind, 0) for kind in Certainty},
            curve=holders.curve_of(site),
            enough=holders.ENOUGH,
            enough_visitors=pools.ENOUGH,
            shown=phone.show(site.number),
            snippet=collector.snippet(site, pages.settings().base_url),
            form_snippet=collector.form_snippet(site, pages.settings().base_url),
            form_address=f"{pages.settings().base_url}{COLLECTOR_PATH}/{site.key}/form",
            sent=web_forms.counts(session, site, since=at - _SPAN),
            told=form_notices.address(site, pages.settings()),
            mails=mail.is_possible(pages.settings()),
            now=at,
            problem=problem,
            refused=refused,
        )


def _free(session: Session) -> list[str]:
    rows = session.scalars(numbers.free(at=clock.now()).limit(100)).all()
    return sorted(row.number for row in rows)


def _add(job: Work) -> int:
    told = _told()
    site = sites.add(job.session, told.pop("name"), at=job.at, **told)
    job.note("site add", site.name)
    return site.id


def _told() -> dict[str, Any]:
    hold = forms.whole("hold_minutes")
    return {
        "name": forms.text("name") or "",
        "origins": (forms.text("origins") or "").replace(",", " ").split(),
        "number": forms.text("number") or "",
        "consent": forms.flag("consent"),
        "hold_minutes": 20 if hold is None else hold,
        "number_cost_minor": forms.amount("number_cost", pages.settings().currency),
        "notice_to": forms.text("notice_to"),
        "notice_language": forms.text("notice_language"),
        "region": pages.settings().region,
    }


def _site(session: Session, site_id: int) -> Site:
    row = session.get(Site, site_id)
    if row is None:
        raise NotFound(gettext("Website %(n)d not found.", n=site_id))
    return row
