"""The pages: for the rep at the telephone, the marketer with the material, the one who decides the budget."""

from flask import Flask
from sqlalchemy import Engine

from tracking.demo import filling
from tracking.language import formatting
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import providers
from tracking.web import (
    account,
    annotations,
    calls,
    campaigns,
    companies,
    comparison,
    costs,
    dashboard,
    deals,
    desk,
    document,
    imports,
    jobs,
    numbers,
    quality,
    saved_views,
    schedules,
    signin,
    simulator,
    staff,
    trends,
)
from tracking.web.pages import Pages, asset, make_room, may, protect, squeeze

_GROUPS = (
    dashboard,
    comparison,
    trends,
    document,
    quality,
    schedules,
    annotations,
    saved_views,
    desk,
    calls,
    campaigns,
    numbers,
    costs,
    companies,
    deals,
    imports,
    jobs,
    simulator,
    staff,
    account,
)


def register(app: Flask, engine: Engine, settings: Settings) -> None:
    """Add sign-in and all pages to an application; who calls with a token or a signature is left alone."""
    pages = Pages(settings, engine)
    for group in _GROUPS:
        group.add(pages)
    # Before sign-in, whose templates ours replace by coming first.
    app.register_blueprint(pages)
    formatting.register(app, settings)
    app.before_request(make_room)
    guard = signin.register(app, engine, settings)
    signed = providers.names()
    for name, blueprint in app.blueprints.items():
        if name.startswith("api_") or name in signed:
            guard.exempt(blueprint)
    app.add_template_global(asset, "asset")
    app.add_template_global(may, "may")
    app.add_template_global(lambda: _is_demo(engine), "is_demo")
    app.after_request(protect)
    app.after_request(squeeze)


def _is_demo(engine: Engine) -> bool:
    with db.reading(engine) as session:
        return filling.is_here(session)
