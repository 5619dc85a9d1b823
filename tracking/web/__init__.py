"""The pages: for the rep at the telephone, the marketer with the material, the one who decides the budget."""

from collections.abc import Sequence

from flask import Flask
from sqlalchemy import Engine

from tracking import clock
from tracking.access.jobs import is_importing, left
from tracking.demo import filling
from tracking.language import formatting
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import call_details, ringing
from tracking.telephony.ringing import Ring
from tracking.web import (
    account,
    annotations,
    answers,
    bell,
    calls,
    campaigns,
    companies,
    comparison,
    costs,
    dashboard,
    deals,
    deciding,
    desk,
    document,
    experiments,
    imports,
    installation,
    jobs,
    links,
    numbers,
    privacy,
    quality,
    saved_views,
    schedules,
    search,
    signin,
    simulator,
    sites,
    staff,
    start,
    steps,
    trends,
    visits,
    web_forms,
    which_model,
    worklist,
)
from tracking.web.pages import asset, bp, make_room, may, protect, squeeze

# Each adds its pages to the blueprint when it is imported.
PAGE_MODULES = (
    account,
    annotations,
    answers,
    bell,
    calls,
    campaigns,
    companies,
    comparison,
    costs,
    dashboard,
    deals,
    deciding,
    desk,
    document,
    experiments,
    imports,
    installation,
    jobs,
    links,
    numbers,
    privacy,
    quality,
    saved_views,
    schedules,
    search,
    simulator,
    sites,
    staff,
    start,
    trends,
    visits,
    web_forms,
    which_model,
    worklist,
)


def register(app: Flask, engine: Engine, settings: Settings) -> None:
    """Add sign-in and all pages to an application; what it has so far belongs to programs."""
    programs = list(app.blueprints.values())
    app.extensions["ringtrail"]["programs"] = tuple(f"{each.url_prefix}/" for each in programs)
    # Before sign-in, whose templates ours replace by coming first.
    app.register_blueprint(bp)
    formatting.register(app, settings)
    app.before_request(make_room)
    guard = signin.register(app, engine, settings)
    for each in programs:
        # Who calls with a token or a signature has no form of ours.
        guard.exempt(each)
    app.add_template_global(asset, "asset")
    app.add_template_global(may, "may")
    app.add_template_global(left, "time_left")
    app.add_template_global(lambda call: ringing.state(call, clock.now()), "state_of")
    app.add_template_global(lambda: _is_demo(engine), "is_demo")
    app.add_template_global(lambda: _ringing(engine), "ringing_here")
    app.add_template_global(lambda: _is_importing(engine), "import_running")
    app.add_template_global(steps.begun, "begun_step")
    app.add_template_global(call_details.holder_words, "holder_words")
    app.add_template_global(call_details.unassigned_words, "unassigned_words")
    app.after_request(protect)
    app.after_request(squeeze)


def _ringing(engine: Engine) -> Sequence[Ring]:
    """Return what rings, for a page that no script brings up to date."""
    with db.reading(engine) as session:
        return [ring for ring in ringing.untaken(session, at=clock.now()) if ring.only_at is None]


def _is_importing(engine: Engine) -> bool:
    with db.reading(engine) as session:
        return is_importing(session)


def _is_demo(engine: Engine) -> bool:
    with db.reading(engine) as session:
        return filling.is_here(session)
