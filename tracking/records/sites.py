"""The supplier's web sites: their pages, who visits them as far as that may be known, and sums of the rest.

A visit belongs to nobody until its visitor calls or is otherwise known; then, and only then, all visits of
that visitor become touches of the company.
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.language import formatting
from tracking.records.sources import UTM, Source, Trace
from tracking.records.visits import add_up
from tracking.storage import phone, vault
from tracking.storage.column_types import to_micros
from tracking.storage.config import ADDRESS
from tracking.storage.models import (
    CallHolder,
    Contact,
    Lease,
    PoolNumber,
    Site,
    SiteHour,
    Touch,
    Visitor,
    WebForm,
    WebVisit,
)
from tracking.storage.names import required
from tracking.storage.vocabulary import TouchKind

PAUSE = timedelta(minutes=30)
"""After so long without a page view the next one begins a new visit, as web analytics count."""
_MOST_ORIGINS = 20
_RANDOM = 16
_PROOF = 24
"""Hexadecimal digits of the keyed hash in a token: 96 bits."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}\.[0-9a-f]{24}")
_BARE = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?/?")
_HOST = re.compile(r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])")


def origin(text: str) -> str:
    """Return an origin as browsers write it: scheme, host, and a port that is not the usual one.

    Raises
    ------
    Invalid
        If it is none, or says more than an origin.
    """
    told = text.strip()
    try:
        parts = urlsplit(told)
        host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
        host = f"[{host}]" if ":" in host else host
        port = parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise Invalid(
            "origins", "%(told)r is not a web address; write one such as https://www.acme.example", told=told
        )
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")


def _origins(texts: Collection[str]) -> list[str]:
    # Whoever names a website leaves out how browsers reach it.
    whole = [f"https://{text.strip()}" if _BARE.fullmatch(text.strip()) else text for text in texts]
    found = list(dict.fromkeys(origin(text) for text in whole if text.strip()))
    if not found:
        raise Invalid("origins", "enter the address of the website, such as https://www.acme.example")
    if len(found) > _MOST_ORIGINS:
        raise Invalid("origins", "must be %(most)s or fewer", most=_MOST_ORIGINS)
    return found


def add(
    session: Session,
    name: str,
    *,
    at: datetime,
    origins: Collection[str],
    number: str,
    consent: bool = True,
    hold_minutes: int = 20,
    number_cost_minor: int | None = None,
    notice_to: str | None = None,
    notice_language: str | None = None,
    region: str = "ZZ",
) -> Site:
    """Add a web site; ``number`` is the one that its pages show of themselves."""
    site = Site(
        key=secrets.token_hex(6),
        name="",
        origins=[],
        number="",
        consent=True,
        hold_minutes=1,
        fitted_calls=0,
        created_at=at,
    )
    change(
        session,
        site,
        name=name,
        origins=origins,
        number=number,
        consent=consent,
        hold_minutes=hold_minutes,
        number_cost_minor=number_cost_minor,
        notice_to=notice_to,
        notice_language=notice_language,
        region=region,
    )
    session.add(site)
    session.flush()
    return site


def change(session: Session, site: Site, *, region: str = "ZZ", **given: Any) -> Site:
    """Change what is given of a site, each as :class:`Site` names it."""
    if "name" in given:
        name = required(given.pop("name"), "name")
        with session.no_autoflush:
            other = session.scalar(select(Site).where(func.lower(Site.name) == name.lower()))
        if other is not None and other is not site:
            raise Conflict("a website named %(name)r already exists; choose another name", name=name)
        site.name = name
    if "origins" in given:
        site.origins = _origins(given.pop("origins"))
    if "number" in given:
        site.number = phone.require(given.pop("number"), region, "number")
    hold = given.get("hold_minutes", site.hold_minutes)
    if not 1 <= hold <= 1440:
        raise Invalid("hold_minutes", "must be 1 to 1440 minutes, not %(value)s", value=hold)
    cost = given.get("number_cost_minor")
    if cost is not None and cost < 0:
        raise Invalid("number_cost", "must be 0 or more, not %(value)s", value=cost)
    if "notice_to" in given:
        site.notice_to = _address(given.pop("notice_to"))
    if (language := given.get("notice_language")) and language not in formatting.LANGUAGES:
        raise Invalid(
            "notice_language",
            "%(told)r is not an option; use one of: %(known)s",
            told=language,
            known=", ".join(formatting.LANGUAGES),
        )
    for field, value in given.items():
        setattr(site, field, value)
    return site


def _address(told: str | None) -> str | None:
    if not (found := (told or "").strip()):
        return None
    if not ADDRESS.fullmatch(found):
        raise Invalid("notice_to", "%(told)r is not an email address; enter one address", told=found)
    return found


def get(session: Session, name: str) -> Site:
    """Return the site of this name."""
    row = session.scalar(select(Site).where(func.lower(Site.name) == name.strip().lower()))
    if row is None:
        raise NotFound("website %(name)r not found; add it with `ringtrail site add`", name=name)
    return row


# --- Visitors ----------------------------------------------------------------------------------------------


def new_token(site_key: str) -> str:
    """Make the token by which a browser is known on a site: random, and proof that we made it."""
    name = secrets.token_urlsafe(_RANDOM)
    return f"{name}.{vault.lookup_hash('visitor', f'{site_key}.{name}')[:_PROOF]}"


def is_ours(site_key: str, token: str) -> bool:
    """Tell whether we made a token for this site, with whichever of our keys."""
    if not _TOKEN.fullmatch(token):
        return False
    name, _, proof = token.partition(".")
    known = vault.lookup_hashes("visitor", f"{site_key}.{name}")
    return any(secrets.compare_digest(proof, each[:_PROOF]) for each in known)


def token_hash(token: str) -> str:
    """Return by what a visitor is found: of the random part alone, so that it outlives a change of key."""
    return hashlib.sha256(token.partition(".")[0].encode()).hexdigest()


def visitor(session: Session, site: Site, token: str, *, at: datetime, fresh: bool = False) -> Visitor:
    """Return the visitor who shows a token that is ours; of a ``fresh`` one nothing can be known yet."""
    row = None
    if not fresh:
        row = session.scalar(select(Visitor).where(Visitor.token_hash == token_hash(token)))
    if row is None:
        row = Visitor(site_id=site.id, token_hash=token_hash(token), seen_at=at)
        session.add(row)
    row.seen_at = max(row.seen_at, at)
    return row


def visit(
    session: Session,
    who: Visitor,
    trace: Trace,
    source: Source,
    *,
    at: datetime,
    arrives: bool,
    fresh: bool = False,
) -> tuple[WebVisit, bool]:
    """Return the visit that a page view belongs to, and whether it begins one.

    It does where the visitor ``arrives`` from somewhere else, or comes back after a pause.
    """
    last = None
    if not fresh:
        session.flush()
        theirs = select(WebVisit).where(WebVisit.visitor_id == who.id)
        last = session.scalar(theirs.order_by(WebVisit.started_at.desc()).limit(1))
    if last is not None and at < last.seen_at + PAUSE and not (arrives and _differs(last, trace, source)):
        last.seen_at = max(last.seen_at, at)
        return last, False
    row = WebVisit(
        visitor=who,
        started_at=at,
        seen_at=at,
        campaign_id=source.campaign.id if source.campaign else None,
        channel=None if source.campaign else source.channel,
        landing_page=trace.landing_page,
        click_ids=dict(trace.click_ids) or None,
        **{name: getattr(trace, name) for name in UTM},
    )
    session.add(row)
    session.flush()
    if who.contact_id is not None:
        _touch(session, [row], who.contact_id)
    return row, True


def _differs(last: WebVisit, trace: Trace, source: Source) -> bool:
    """Tell whether somebody who arrives comes by another way than last time; reloading a page is no visit."""
    now = (source.campaign.id if source.campaign else None, None if source.campaign else source.channel)
    return (last.campaign_id, last.channel) != now or (last.click_ids or {}) != dict(trace.click_ids)


def known_as(session: Session, who: Visitor, contact: Contact) -> bool:
    """Say who a visitor is: all visits become touches of the contact. False where it was somebody else."""
    if who.contact_id not in (None, contact.id):
        return False
    who.contact_id = contact.id
    visits = session.scalars(select(WebVisit).where(WebVisit.visitor_id == who.id)).all()
    _touch(session, visits, contact.id)
    session.flush()
    return True


def nobody_again(session: Session, who: Visitor) -> None:
    """Take back who a visitor was said to be: his visits are nobody's, and no touches."""
    keys = _keys(session.scalars(select(WebVisit).where(WebVisit.visitor_id == who.id)).all())
    for touch in session.scalars(select(Touch).where(Touch.source_key.in_(keys))):
        session.delete(touch)
    who.contact_id = None
    session.flush()


def is_known_otherwise(session: Session, who: Visitor) -> bool:
    """Tell whether a call or a form still says who a visitor is."""
    sent = exists().where(WebForm.visitor_id == who.id, WebForm.contact_id.is_not(None))
    called = exists().where(CallHolder.visitor_id == who.id)
    return bool(session.scalar(select(sent | called)))


def _keys(visits: Sequence[WebVisit]) -> dict[str, WebVisit]:
    # Not by the rows' numbers, which SQLite gives out again once the last row is gone.
    return {f"web visit {row.visitor.token_hash[:32]} {to_micros(row.started_at)}": row for row in visits}


def _touch(session: Session, visits: Sequence[WebVisit], contact_id: int) -> None:
    """Make touches of those visits that are none yet."""
    keys = _keys(visits)
    there = set(session.scalars(select(Touch.source_key).where(Touch.source_key.in_(keys))))
    session.add_all(
        Touch(
            source_key=key,
            contact_id=contact_id,
            occurred_at=row.started_at,
            kind=TouchKind.visit,
            campaign_id=row.campaign_id,
            channel=row.channel,
            landing_page=row.landing_page,
            click_ids=row.click_ids,
            **{name: getattr(row, name) for name in UTM},
        )
        for key, row in keys.items()
        if key not in there
    )


def forget(session: Session, visitors: Sequence[int]) -> None:
    """Delete visitors with their visits and leases; touches and what is written on calls stay."""
    quiet = {"synchronize_session": False}
    sent = update(WebForm).where(WebForm.visitor_id.in_(visitors)).values(visitor_id=None)
    session.execute(sent, execution_options=quiet)
    theirs = select(WebVisit.id).where(WebVisit.visitor_id.in_(visitors))
    held = update(CallHolder).where(CallHolder.visitor_id.in_(visitors)).values(visitor_id=None)
    session.execute(held, execution_options=quiet)
    leases = select(Lease.id).where(Lease.visit_id.in_(theirs))
    free = update(PoolNumber).where(PoolNumber.lease_id.in_(leases)).values(lease_id=None, held_until=None)
    session.execute(free, execution_options=quiet)
    session.execute(delete(Lease).where(Lease.visit_id.in_(theirs)), execution_options=quiet)
    session.execute(delete(WebVisit).where(WebVisit.visitor_id.in_(visitors)), execution_options=quiet)
    session.execute(delete(Visitor).where(Visitor.id.in_(visitors)), execution_options=quiet)


# --- Sums, of nobody ---------------------------------------------------------------------------------------

SUMS = ("views", "swapped", "leased", "overflow", "unidentified", "bots", "refused", "capped")
"""What is counted by hour, as :class:`SiteHour` names it."""


def count(session: Session, site_id: int, hour: datetime, sums: Mapping[str, int]) -> None:
    """Add to what happened on a site in an hour; many may do so at once."""
    added = {name: sums.get(name, 0) for name in SUMS}
    add_up(session, SiteHour, {"site_id": site_id, "hour": hour}, added)
