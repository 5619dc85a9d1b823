"""Web visits: where they come from, by which system's count, and whose campaigns their tags are."""

from collections.abc import Mapping, Sequence

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tracking import clock
from tracking.errors import Invalid, NotFound
from tracking.language import channels
from tracking.records import campaigns, matching, visits
from tracking.records.sources import UTM
from tracking.reporting import landing
from tracking.reporting.credit import Window
from tracking.reporting.questions import ReportQuery
from tracking.storage.models import Campaign, SourceRule
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work

Page = str | tuple[str, int] | Response
_SHOWN = 100


@pages.page("/visits", EVERYONE)
def visit_list() -> Page:
    with pages.reading() as session:
        asked = pages.report_query(session)
        start, end = asked.period.start, asked.period.end
        rows = visits.by_source(session, start, end)
        unmatched = matching.unmatched(session, pages.settings().zone)
        model = landing.model_for(asked.deciding.model)
        page = render_template(
            "visits/list.html",
            asked=asked,
            rows=rows,
            total=sum(count for *_, count in rows),
            counted=visits.counted(session, start, end),
            unmatched=unmatched[:_SHOWN],
            more=max(0, len(unmatched) - _SHOWN),
            without=sum(one.visits for one in unmatched),
            rules=matching.rules(session),
            label=channels.word,
            model=model,
            brought=_brought(session, asked, model),
            problem=asked.problem,
        )
    return page, pages.status_of(asked.problem)


@pages.page("/visits/match", MARKETERS, methods=("GET", "POST"))
def match_visits() -> Page:
    tags = {name: request.values.get(name, "").strip()[:200] or None for name in UTM}
    moved, problem = None, None
    if not request.form.get("preview"):
        moved, problem = pages.submitted(lambda job: _match(job, tags))
    if moved:
        flash(
            ngettext("%(num)d visit matched.", "%(num)d visits matched.", moved[0])
            if moved[0]
            else gettext("Rule saved.")
        )
        return redirect(url_for("web.visit_list"), 303)
    with pages.reading() as session:
        chosen = _chosen(session, request.values.get("campaign", ""))
        seen = matching.preview(session, tags, chosen) if any(tags.values()) else None
        page = render_template(
            "visits/match.html",
            tags=tags,
            seen=seen,
            chosen=chosen,
            campaigns=session.scalars(select(Campaign.name).order_by(Campaign.name)).all(),
            problem=problem,
        )
    return page, pages.status_of(problem)


@pages.page("/visits/rules/<int:rule_id>/delete", MARKETERS, methods=("POST",))
def delete_rule(rule_id: int) -> Response:
    def work(job: Work) -> None:
        row = job.session.get(SourceRule, rule_id)
        if row is None:
            raise NotFound("rule %(number)s not found", number=rule_id)
        job.note("rule delete", f"rule {rule_id}")
        job.session.delete(row)

    pages.change(work)
    flash(gettext("Rule deleted. Visits that it matched keep their campaign."))
    return redirect(url_for("web.visit_list"), 303)


def _brought(
    session: Session, asked: ReportQuery, model: str
) -> list[tuple[str, str, Sequence[landing.Line]]]:
    """Return what landing pages and UTM tags have brought, as far as there are any, with their headings."""
    window = Window(pages.settings().lookback_days, pages.settings().half_life_days)
    taken = pages.current_snapshot(session)
    found: list[tuple[str, str, Sequence[landing.Line]]] = []
    wanted = (
        (gettext("Results by landing page"), gettext("Landing page"), landing.By.landing_page),
        (gettext("Results by UTM tags"), gettext("UTM tags"), landing.By.utm),
    )
    for title, head, by in wanted:
        lines = landing.brought(session, taken, asked.period, model, window, by)
        if lines:
            found.append((title, head, lines[:_SHOWN]))
    return found


def _chosen(session: Session, name: str) -> Campaign | None:
    return session.scalar(select(Campaign).where(Campaign.name == name)) if name else None


def _match(job: Work, tags: Mapping[str, str | None]) -> tuple[int, int]:
    if not any(tags.values()):
        raise Invalid("utm_campaign", "enter at least one UTM tag: source, medium or campaign")
    name = forms.text("campaign")
    if new := forms.text("new_campaign"):
        if name:
            raise Invalid("new_campaign", "choose a campaign or enter a new one, not both")
        channel = forms.text("channel")
        if not channel:
            raise Invalid("channel", "enter the new campaign's channel, such as paid search")
        row = campaigns.add(job.session, new, channel, at=clock.now())
    elif name:
        row = campaigns.get(job.session, name)
    else:
        raise Invalid("campaign", "choose a campaign, or enter the name of a new one")
    job.note("visits match", row.name)
    return matching.match(job.session, row, tags, at=clock.now())
