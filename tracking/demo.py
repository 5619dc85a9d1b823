"""Fill an empty installation with Acme Pumps, a made-up supplier out of the simulator, and take it out again.

What the simulated tracker saw goes through the same domain functions as what real exchanges, reps and
imports report, so a demo obeys the rules that live data obey.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import pyarrow as pa
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from simulator import scenario as scenarios
from simulator.market import World
from simulator.runs import mapper
from simulator.write import tables
from tracking import answers, bulk, campaigns, contacts, costs, db, deals, numbers, touches
from tracking.calls import CallEvent
from tracking.contacts import Clues
from tracking.costs import CostRecord
from tracking.deals import DealRecord
from tracking.errors import Conflict
from tracking.models import Account, Answer, Call, Campaign, Contact, TrackingNumber, VisitCount
from tracking.office import AuditEntry, FailedSignIn, User
from tracking.touches import TouchRecord
from tracking.vocabulary import Base, CallStatus, Direction, LeadStatus, Medium, Outcome, Stage, TouchKind

PROVIDER = "demo"
"""Who carries the numbers of a demo; no other number has it, so it tells a demo from live data."""
MAIN_NUMBER = "+46701740690"
"""Acme Pumps' own number, which stands on no ad material."""
WINDOW = timedelta(days=730)
"""How far back a demo goes."""
_ACCOUNTS = 400
_UNLOGGED = timedelta(days=3)
_CHANGEOVER = timedelta(days=200)
_DECIDED = timedelta(days=240)
"""A quote that is older and was not accepted counts as lost; the tracker never hears of it."""
_KEPT = (
    "installation",
    User.__tablename__,
    AuditEntry.__tablename__,
    FailedSignIn.__tablename__,
    "api_token",
)
_OWN_SITE = ("(brand search)", "(organic search)")
"""Sources of the simulator that lead to the supplier's own site."""


def _days(first: int, last: int, exposures: float) -> dict[str, float]:
    return {"from_day": first, "to_day": last, "exposures": exposures}


# A firm with a tenth of the scenario's companies to serve: a quieter telephone, prices of its own, and fairs,
# mailings and evenings in both years.
_SMALL: dict[str, object] = {
    "desk.junk_per_day": 0.3,
    "desk.customer_calls_per_day": 1.5,
    "campaigns.search_ads.variable_minor": 4_500_000,
    "campaigns.print_catalogue.fixed_minor": 1_200_000,
    "campaigns.print_catalogue.variable_minor": 1_500_000,
    "campaigns.email.variable_minor": 1_000_000,
    "campaigns.display.variable_minor": 2_500_000,
    "campaigns.whatsapp.variable_minor": 400_000,
    "campaigns.referral.fixed_minor": 500_000,
    "campaigns.trade_fair.flights": [_days(d, d + 3, 0.15) for d in (65, 245, 430, 610)],
    "campaigns.print_catalogue.flights": [_days(45, 165, 0.6), _days(530, 650, 0.6)],
    "campaigns.webinar.flights": [_days(d, d + 1, 0.05) for d in range(35, 730, 90)],
}
_REPS = ("Rita", "Sven", "Olga")


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a campaign of the scenario is called at Acme Pumps, and what carries its numbers."""

    name: str
    direction: Direction
    objective: str
    budget_minor: int
    pieces: tuple[tuple[str, str, Medium], ...]
    said: tuple[str, ...]


_PLANS = {
    "search_ads": _Plan(
        "Search ads: process pumps",
        Direction.inbound,
        "Enquiries from companies that search for pumps",
        1_200_000,
        (("Landing page for process pumps", "landing page", Medium.online),),
        ("searched for process pumps on the web", "found you with a search engine"),
    ),
    "directory": _Plan(
        "Industry directory",
        Direction.inbound,
        "Be found where buyers of the trade look suppliers up",
        600_000,
        (
            ("Premium entry", "directory entry", Medium.online),
            ("Printed directory", "directory", Medium.print),
        ),
        ("in the directory", "the trade directory, I think"),
    ),
    "trade_fair": _Plan(
        "Pump fair Gothenburg",
        Direction.outbound,
        "Meet buyers of capital equipment",
        4_500_000,
        (("Stand B12", "stand", Medium.fair), ("Brochure of the fair", "brochure", Medium.fair)),
        ("met you at the fair", "your stand in Gothenburg"),
    ),
    "print_catalogue": _Plan(
        "Product catalogue",
        Direction.outbound,
        "Stay on the desks of purchasing",
        2_500_000,
        (
            ("Catalogue, first edition", "catalogue", Medium.print),
            ("Catalogue, new edition", "catalogue", Medium.print),
        ),
        ("your catalogue is on my desk", "the catalogue"),
    ),
    "email": _Plan(
        "Service newsletter",
        Direction.outbound,
        "Repeat orders of parts",
        300_000,
        (("Monthly letter", "newsletter", Medium.email),),
        ("your newsletter", "you sent me a mail"),
    ),
    "display": _Plan(
        "Banners in the trade press",
        Direction.outbound,
        "Be known before the need",
        800_000,
        (),
        ("a banner",),
    ),
    "webinar": _Plan(
        "Webinar: pumps that save energy",
        Direction.outbound,
        "Show what the new series can do",
        500_000,
        (("Invitation", "landing page", Medium.online),),
        ("I was in your webinar",),
    ),
    "whatsapp": _Plan(
        "Messages to parts buyers",
        Direction.outbound,
        "Orders of parts",
        200_000,
        (("Message with offer", "message", Medium.online),),
        ("you wrote to me",),
    ),
    "website": _Plan(
        "Own web site",
        Direction.inbound,
        "Be found by name and by product",
        600_000,
        (("Number in the page's head", "web site", Medium.online),),
        ("on your web site", "the internet"),
    ),
    "referral": _Plan(
        "Customer referrals",
        Direction.inbound,
        "Customers bring customers",
        150_000,
        (),
        ("a customer of yours told me",),
    ),
}


def fill(engine: Engine, at: datetime, *, accounts: int = _ACCOUNTS, seed: int = 1) -> dict[str, int]:
    """Fill an empty installation with two years of Acme Pumps that end at a moment.

    Parameters
    ----------
    engine : Engine
        An installed database with no campaign and no account.
    at : datetime
        The moment the demo ends, aware; the last calls rang shortly before.
    accounts : int
        Buying companies in the simulated market, 1 or more; about half of them are ever heard of.
    seed : int
        The same seed and moment give the same demo.

    Returns
    -------
    dict of str to int
        How many rows there are now of each kind.

    Raises
    ------
    Conflict
        If there are data already.
    """
    with db.reading(engine) as session:
        if session.scalar(select(Campaign.id).limit(1)) or session.scalar(select(Account.id).limit(1)):
            raise Conflict("the installation is not empty; fill one of its own")
    seen = _Seen(_simulated(at, accounts, seed), at)
    with db.transaction(engine) as session:
        _Filling(session, seen, at).whole()
        kinds = (Campaign, TrackingNumber, Account, Contact, Call, Answer)
        return {kind.__tablename__: session.scalar(select(func.count(kind.id))) or 0 for kind in kinds}


def is_here(session: Session) -> bool:
    """Tell whether the installation holds a demo."""
    return (
        session.scalar(select(TrackingNumber.id).where(TrackingNumber.provider == PROVIDER).limit(1))
        is not None
    )


def wipe(session: Session) -> None:
    """Take everything out but people, their tokens and the audit trail; only where it is a demo.

    Raises
    ------
    Conflict
        If the installation holds no demo, so that live data are never taken for one.
    """
    if not is_here(session):
        raise Conflict("this installation holds no demo; live data are not taken out")
    # Rows that point to rows of their own table would be in each other's way.
    for row in (Account, Contact):
        session.execute(update(row).values(merged_into_id=None))
    session.execute(update(Answer).values(corrects_id=None))
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in _KEPT:
            session.execute(delete(table))


def _simulated(at: datetime, accounts: int, seed: int) -> dict[str, pa.Table]:
    start = (at - WINDOW).date() + timedelta(days=1)
    world = World(scenarios.load("supplier", _SMALL | {"start": start}), accounts, WINDOW.days, seed)
    with mapper(1) as spread:
        return tables(world, spread)


class _Seen:
    """What the simulated tracker saw within the window, with names and numbers for people."""

    def __init__(self, market: dict[str, pa.Table], at: datetime) -> None:
        def rows(name: str, moment: str) -> list[dict[str, Any]]:
            table = market[name].sort_by(moment).to_pylist()
            return [_sited(row) for row in table if at - WINDOW <= row[moment] <= at]

        self.touches = rows("touches", "occurred_at")
        self.calls = rows("calls", "started_at")
        self.answers = rows("answers", "asked_at")
        self.conversions = rows("conversions", "converted_at")
        self.costs = market["costs"].to_pylist()
        self.visits = [_sited(row) for row in market["visits"].to_pylist()]
        self.accounts = {row["account_id"]: row for row in market["accounts"].to_pylist()}
        self.contacts = {row["contact_id"]: row for row in market["contacts"].to_pylist()}
        self.person_of = {
            row["touch_id"][1:]: row["contact_id"] for row in self.touches if row["kind"] == "call"
        }
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, str | None] = {}
        self._free = _callers()

    def company(self, account_id: str) -> str:
        """Return a company's name, which no other company of the demo has."""
        if account_id not in self._names:
            row = self.accounts[account_id]
            choices = (row["name"], f"{row['name']} {row['region'].title()}")
            name = next((c for c in choices if c not in self._taken), f"{row['name']} {account_id[1:]}")
            self._names[account_id] = name
            self._taken.add(name)
        return self._names[account_id]

    def clues(self, account_id: str, contact_id: str | None) -> Clues:
        """Say whose record it is: the company, and the person where one is known."""
        person = self.contacts[contact_id]["name"] if contact_id else None
        return Clues(
            external_id=f"acme-{account_id}",
            company=self.company(account_id),
            person=person,
            person_id=f"acme-{contact_id}" if contact_id else None,
            phone=self.number(contact_id or account_id),
        )

    def number(self, owner: str) -> str | None:
        """Return the number of a person or switchboard; None when the ranges kept for fiction are used up."""
        if owner not in self._numbers:
            self._numbers[owner] = next(self._free, None)
        return self._numbers[owner]


def _sited(row: dict[str, Any]) -> dict[str, Any]:
    """Let what leads to the supplier's own site be a campaign, as its page of numbers is."""
    return row | {"campaign": "website", "channel": "website"} if row.get("campaign") in _OWN_SITE else row


def _callers() -> Iterator[str]:
    # Kept for fiction by Ofcom, the Bundesnetzagentur and PTS; Acme's own stand below +46701740641.
    for last in range(1000):
        yield f"+493023125{last:03}"
        yield f"+442079460{last:03}"
    for last in range(641, 690):
        yield f"+46701740{last}"


class _Filling:
    """One demo in the making."""

    def __init__(self, session: Session, seen: _Seen, at: datetime) -> None:
        self.session, self.seen, self.at = session, seen, at
        self.begin = at - WINDOW - timedelta(days=400)
        self.campaigns: dict[str, Campaign] = {}
        self.dialled: dict[str, list[tuple[str, datetime, datetime | None]]] = {}
        self._met: set[str] = set()

    def whole(self) -> None:
        """Fill in everything, in the order in which one refers to the other."""
        self.advertise()
        self.ring()
        self.happen()
        self.sell()
        self.spend()

    def advertise(self) -> None:
        channels = {row["campaign"]: row["channel"] for row in self.seen.costs} | {"website": "website"}
        next_number = iter(range(605, 641))
        for key, plan in _PLANS.items():
            campaign = campaigns.add(
                self.session,
                plan.name,
                channels.get(key, key),
                at=self.begin,
                direction=plan.direction,
                objective=plan.objective,
                budget_minor=plan.budget_minor,
                currency="EUR",
                starts_on=(self.at - WINDOW).date(),
                targets={"leads": 30 if plan.pieces else 10},
                utm_campaign=key,
            )
            self.campaigns[key] = campaign
            for index, (name, kind, medium) in enumerate(plan.pieces):
                number = f"+46701740{next(next_number)}"
                self._put(key, campaign, name, kind, medium, number, index)
        for _ in range(6):
            numbers.add(
                self.session,
                f"+46701740{next(next_number)}",
                at=self.begin,
                provider=PROVIDER,
                destination=MAIN_NUMBER,
            )
        self.session.flush()

    def _put(
        self, key: str, campaign: Campaign, name: str, kind: str, medium: Medium, number: str, index: int
    ) -> None:
        row = numbers.add(self.session, number, at=self.begin, provider=PROVIDER, destination=MAIN_NUMBER)
        change = self.at - _CHANGEOVER if key == "print_catalogue" else None
        printed = medium is Medium.print
        issued = change if change and index else self.begin
        piece = campaigns.add_material(
            self.session,
            campaign,
            name,
            at=self.begin,
            medium=medium,
            kind=kind,
            edition=str(issued.year) if printed else None,
            print_run=4000 if printed else None,
            issued_on=issued.date(),
            expires_on=change.date() if change and not index else None,
        )
        starts = change if change and index else self.begin
        ends = change if change and not index else None
        numbers.assign(self.session, row, piece, starts_at=starts, ends_at=ends)
        self.dialled.setdefault(key, []).append((number, starts, ends))

    def number_for(self, key: str, call_id: str, rang: datetime) -> str:
        """Return the number that stood on what the caller held."""
        # An old edition is still about: every sixth caller dials it.
        all_of = self.dialled.get(key, [])
        mixed = crc32(call_id.encode())
        current = [n for n, starts, ends in all_of if starts <= rang and (ends is None or rang < ends)]
        old = [n for n, _, ends in all_of if ends is not None and ends <= rang]
        pick = old if old and mixed % 6 == 0 else current
        return pick[mixed % len(pick)] if pick else MAIN_NUMBER

    def ring(self) -> None:
        for call in self.seen.calls:
            # Who is known by his number is introduced first, so that his calls are his.
            if call["account_id"]:
                self._meet(call)
        self.session.flush()
        events = [self._event(call) for call in self.seen.calls]
        bulk.record(self.session, events, region="SE")
        self.session.flush()
        spam = [call["call_id"] for call in self.seen.calls if call["spam"]]
        self.session.execute(update(Call).where(Call.provider_call_id.in_(spam)).values(spam=True))
        self._log()

    def _meet(self, call: dict[str, Any]) -> None:
        person = self.seen.person_of.get(call["call_id"])
        owner = person or call["account_id"]
        if owner in self._met:
            return
        self._met.add(owner)
        contacts.account_for(self.session, self.seen.clues(call["account_id"], person), at=call["started_at"])

    def _event(self, call: dict[str, Any]) -> CallEvent:
        person = self.seen.person_of.get(call["call_id"])
        owner = person or call["account_id"]
        rang = call["started_at"]
        waited = max(call["duration_s"] - call["talk_s"], 0)
        answered = call["status"] == "completed"
        return CallEvent(
            provider=PROVIDER,
            provider_call_id=call["call_id"],
            dialled=(self.number_for(call["campaign"], call["call_id"], rang),),
            caller=self.seen.number(owner) if owner else None,
            started_at=rang,
            status=CallStatus(call["status"]),
            answered_at=rang + timedelta(seconds=waited) if answered else None,
            ended_at=rang + timedelta(seconds=call["duration_s"]),
            duration_s=call["duration_s"],
            talk_s=call["talk_s"],
            lead_status=LeadStatus(call["lead_status"]) if self._judged(call) else None,
        )

    def _judged(self, call: dict[str, Any]) -> bool:
        # Reps do not get round to every call, and not yet to the last ones.
        recent = call["started_at"] > self.at - _UNLOGGED
        return bool(call["lead_status"]) and not recent and crc32(call["call_id"].encode()) % 10 > 0

    def _log(self) -> None:
        ids = {
            call.provider_call_id: call
            for call in self.session.scalars(select(Call).where(Call.provider == PROVIDER))
        }
        answered: set[str] = set()
        for row in self.seen.answers:
            call = ids.get(row["call_id"] or "")
            if call is None or row["asked_at"] > self.at - _UNLOGGED or row["call_id"] in answered:
                continue
            answered.add(row["call_id"])
            self._answer(call, row)
        for call in ids.values():
            taken = call.status is CallStatus.completed and not call.spam
            if taken and call.provider_call_id not in answered and call.started_at <= self.at - _UNLOGGED:
                answers.log(
                    self.session, Outcome.not_asked, asked_at=call.ended_at or call.started_at,
                    asked_by=self._rep(call), call=call,
                )  # fmt: skip

    def _answer(self, call: Call, row: dict[str, Any]) -> None:
        outcome = Outcome(row["outcome"])
        campaign, channel, words = None, None, None
        if outcome is Outcome.answered:
            campaign = self.campaigns.get(row["campaign"] or "")
            channel = None if campaign else row["channel"]
            said = _PLANS[row["campaign"]].said if campaign else (row["verbatim"] or channel or "",)
            if row["campaign"] == "(never ran)":
                said = ("I saw you on television",)
            words = said[crc32(row["answer_id"].encode()) % len(said)]
        answers.log(
            self.session,
            outcome,
            asked_at=row["asked_at"],
            asked_by=self._rep(call),
            call=call,
            campaign=campaign,
            channel=channel,
            verbatim=words,
        )

    @staticmethod
    def _rep(call: Call) -> str:
        # Rita takes every second call; the three differ in how often they ask only by chance.
        return _REPS[(0, 1, 0, 2)[crc32(call.provider_call_id.encode()) % 4]]

    def happen(self) -> None:
        kinds = {"visit": TouchKind.visit, "form": TouchKind.form, "message": TouchKind.message}
        for row in self.seen.touches:
            kind = kinds.get(row["kind"], TouchKind.event)
            if row["kind"] == "call":
                continue
            campaign = self.campaigns.get(row["campaign"] or "")
            touches.save(
                self.session,
                TouchRecord(
                    source_key=f"demo {row['touch_id']}",
                    clues=self.seen.clues(row["account_id"], row["contact_id"]),
                    occurred_at=row["occurred_at"],
                    kind=kind,
                    channel=None if campaign else row["channel"],
                ),
                at=row["occurred_at"],
                campaign=campaign,
            )
        counted: dict[tuple[Any, int | None, str | None], int] = {}
        for row in self.seen.visits:
            if not (self.at - WINDOW).date() <= row["day"] <= self.at.date():
                continue
            campaign = self.campaigns.get(row["campaign"])
            place = (row["day"], campaign.id if campaign else None, None if campaign else row["channel"])
            counted[place] = counted.get(place, 0) + row["visits"]
        self.session.add_all(
            VisitCount(day=day, campaign_id=campaign_id, channel=channel, visits=visits)
            for (day, campaign_id, channel), visits in counted.items()
        )

    def sell(self) -> None:
        by_goal: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.seen.conversions:
            by_goal.setdefault(row["goal"], {})[row["conversion_id"].partition("-")[2]] = row
        won = by_goal.get("won", {})
        sizes = sorted(row["value_minor"] for row in won.values()) or [100_000]
        ordered = {key.rsplit("-", 1)[0] for key in won}
        for key, row in won.items():
            self._deal(key, row, Stage.won, row["value_minor"], row["converted_at"])
        for key, row in by_goal.get("opportunity", {}).items():
            if key.rsplit("-", 1)[0] in ordered:
                continue
            amount = sizes[crc32(key.encode()) % len(sizes)]
            over = row["converted_at"] + _DECIDED
            lost = over < self.at
            self._deal(key, row, Stage.lost if lost else Stage.opportunity, amount, over if lost else None)

    def _deal(
        self, key: str, row: dict[str, Any], stage: Stage, amount: int, closed_at: datetime | None
    ) -> None:
        large = "Pump station" if amount > 4_000_000 else "Custom pump" if amount > 400_000 else "Spare parts"
        deals.save(
            self.session,
            DealRecord(
                clues=self.seen.clues(row["account_id"], None),
                stage=stage,
                amount_minor=amount,
                currency=row["currency"],
                external_id=f"D-{key}",
                name=large,
                lead_at=row["lead_at"],
                qualified_at=row["qualified_at"],
                # A repeat order comes without an offer before it.
                opportunity_at=row["opportunity_at"] if stage is Stage.won else row["converted_at"],
                closed_at=closed_at,
                margin_minor=row["margin_minor"] if stage is Stage.won else None,
            ),
            at=row["converted_at"],
        )

    def spend(self) -> None:
        today = self.at.date()
        for index, row in enumerate(self.seen.costs):
            if row["period_start"] >= today:
                continue
            costs.save(
                self.session,
                CostRecord(
                    period_start=row["period_start"],
                    period_end=min(row["period_end"], today + timedelta(days=1)),
                    currency=row["currency"],
                    category=row["category"],
                    direct=row["direct"],
                    amount_minor=row["amount_minor"],
                    source_key=f"demo {index}",
                ),
                campaign=self.campaigns.get(row["campaign"] or ""),
            )
        month = (self.at - WINDOW).date().replace(day=1)
        while (after := (month + timedelta(days=32)).replace(day=1)) <= today:
            record = CostRecord(
                period_start=month, period_end=after, currency="EUR", category="wages", direct=False,
                minutes=40 * 60, hourly_rate_minor=4_500, note="Marketing department, its hours",
            )  # fmt: skip
            costs.save(self.session, record, campaign=None)
            site = CostRecord(
                period_start=month, period_end=after, currency="EUR", category="web site", amount_minor=40_000
            )
            costs.save(self.session, site, campaign=self.campaigns["website"])
            month = after
