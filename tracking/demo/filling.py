"""Fill an empty installation with Acme Pumps, a made-up supplier out of the simulator, and take it out again.

Campaigns, numbers, calls and costs go through the same domain functions as what real exchanges and imports
report. People, touches, deals and answers come by the thousand and out of one hand: who is who is known, and
no record comes twice, so they are written at once instead of being looked up one by one.
"""

from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from tracking.demo import acme
from tracking.errors import Conflict
from tracking.records import annotations, campaigns, contacts, costs
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.storage import db
from tracking.storage.models import (
    Account,
    Answer,
    AuditEntry,
    Call,
    Campaign,
    Contact,
    Deal,
    OutgoingMail,
    Touch,
    TrackingNumber,
    User,
    VisitCount,
)
from tracking.storage.vocabulary import Base, CallStatus, LeadStatus, Medium, Outcome, Stage, TouchKind
from tracking.telephony import bulk, numbers
from tracking.telephony.calls import CallEvent

PROVIDER = "demo"
"""Who carries the numbers of a demo; no other number has it, so it tells a demo from live data."""
ACCOUNTS = 600
_UNLOGGED = timedelta(days=3)
_CHANGEOVER = timedelta(days=200)
_DECIDED = timedelta(days=240)
"""A quote that is older and was not accepted counts as lost; the tracker never hears of it."""
_KEPT = (
    "installation",
    User.__tablename__,
    AuditEntry.__tablename__,
    "api_token",
    "audit_head",
    "open_session",
    "outgoing_mail",
    "tries",
)


def fill(engine: Engine, at: datetime, *, accounts: int = ACCOUNTS, seed: int = 1) -> dict[str, int]:
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
            raise Conflict("this installation already has data; load the demo in a new one")
    seen = acme.Seen(at, accounts, seed)
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
        raise Conflict("no demo data to delete; live data is never deleted")
    # Rows that point to rows of their own table would be in each other's way.
    for row in (Account, Contact):
        session.execute(update(row).values(merged_into_id=None))
    session.execute(update(Answer).values(corrects_id=None))
    # Mails to users stay; those that tell of a form go with it.
    session.execute(delete(OutgoingMail).where(OutgoingMail.form_id.is_not(None)))
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in _KEPT:
            session.execute(delete(table))


class _Filling:
    """One demo in the making."""

    def __init__(self, session: Session, seen: acme.Seen, at: datetime) -> None:
        self.session, self.seen, self.at = session, seen, at
        self.begin = at - acme.WINDOW - timedelta(days=400)
        self.campaigns: dict[str, Campaign] = {}
        self.dialled: dict[str, list[tuple[str, datetime, datetime | None]]] = {}
        self._companies: dict[str, Account] = {}
        self._people: dict[str, Contact] = {}

    def whole(self) -> None:
        """Fill in everything, in the order in which one refers to the other."""
        self.advertise()
        self.ring()
        self.happen()
        self.sell()
        self.spend()
        self.watch()
        self.describe()

    def advertise(self) -> None:
        channels = {row["campaign"]: row["channel"] for row in self.seen.costs} | {"website": "website"}
        next_number = iter(range(605, 641))
        for key, plan in acme.PLANS.items():
            campaign = campaigns.add(
                self.session,
                plan.name,
                channels.get(key, key),
                at=self.begin,
                direction=plan.direction,
                objective=plan.objective,
                budget_minor=plan.budget_minor,
                currency="EUR",
                starts_on=(self.at - acme.WINDOW).date(),
                targets={"leads": 12 if plan.numbered else 5},
                utm_campaign=key,
            )
            self.campaigns[key] = campaign
            for index, (name, kind, medium) in enumerate(plan.pieces):
                number = f"+46701740{next(next_number)}" if plan.numbered else None
                self._put(key, campaign, name, kind, medium, number, index)
        numbers.add(self.session, acme.MAIN_NUMBER, at=self.begin, provider=PROVIDER, main_line=True)
        for _ in range(6):
            numbers.add(
                self.session,
                f"+46701740{next(next_number)}",
                at=self.begin,
                provider=PROVIDER,
                destination=acme.MAIN_NUMBER,
            )
        self.session.flush()

    def _put(
        self,
        key: str,
        campaign: Campaign,
        name: str,
        kind: str,
        medium: Medium,
        number: str | None,
        index: int,
    ) -> None:
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
        if number is None:
            return
        row = numbers.add(
            self.session, number, at=self.begin, provider=PROVIDER, destination=acme.MAIN_NUMBER
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
        return pick[mixed % len(pick)] if pick else acme.MAIN_NUMBER

    def ring(self) -> None:
        for call in self.seen.calls:
            # Who is known by his number is introduced first, so that his calls are his.
            if call["account_id"]:
                person = self.seen.person_of.get(call["call_id"])
                self._meet(call["account_id"], person, call["started_at"])
        self.session.flush()
        events = [self._event(call) for call in self.seen.calls]
        bulk.record(self.session, events, region="SE")
        self.session.flush()
        spam = [call["call_id"] for call in self.seen.calls if call["spam"]]
        self.session.execute(update(Call).where(Call.provider_call_id.in_(spam)).values(spam=True))
        self._log()

    def _company(self, clues: Clues, at: datetime) -> Account:
        """Return a company, added when it is first heard of."""
        assert clues.external_id
        assert clues.company
        if clues.external_id not in self._companies:
            account = Account(external_id=clues.external_id, created_at=at)
            contacts.rename(account, clues.company)
            self.session.add(account)
            self._companies[clues.external_id] = account
        return self._companies[clues.external_id]

    def _meet(self, account_id: str, contact_id: str | None, at: datetime) -> Contact:
        """Return a person, or a company's switchboard, introduced when first met."""
        owner = contact_id or account_id
        if owner not in self._people:
            clues = self.seen.clues(account_id, contact_id)
            account = self._company(clues, at)
            if points := clues.points():
                contact = contacts.introduce(self.session, points, at=at, name=clues.person, account=account)
            else:
                self.session.flush()
                contact = contacts.contact_for(self.session, clues, at=at)
            self._people[owner] = contact
        return self._people[owner]

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
        rows: list[dict[str, Any]] = []
        answered: set[str] = set()
        for row in self.seen.answers:
            call = ids.get(row["call_id"] or "")
            if call is None or row["asked_at"] > self.at - _UNLOGGED or row["call_id"] in answered:
                continue
            answered.add(row["call_id"])
            rows.append(self._answer(call, row))
        for call in ids.values():
            taken = call.status is CallStatus.completed and not call.spam
            if taken and call.provider_call_id not in answered and call.started_at <= self.at - _UNLOGGED:
                rows.append(self._logged(call, Outcome.not_asked, call.ended_at or call.started_at))
        self.session.execute(insert(Answer), rows)

    def _answer(self, call: Call, row: dict[str, Any]) -> dict[str, Any]:
        outcome = Outcome(row["outcome"])
        campaign, channel, words = None, None, None
        if outcome is Outcome.answered:
            campaign = self.campaigns.get(row["campaign"] or "")
            channel = None if campaign else row["channel"]
            said = acme.PLANS[row["campaign"]].said if campaign else (row["verbatim"] or channel or "",)
            if row["campaign"] == "(never ran)":
                said = (acme.NEVER_RAN,)
            words = said[crc32(row["answer_id"].encode()) % len(said)]
        source = {"campaign_id": campaign.id if campaign else None, "channel": channel, "verbatim": words}
        return self._logged(call, outcome, row["asked_at"]) | source

    @staticmethod
    def _logged(call: Call, outcome: Outcome, asked_at: datetime) -> dict[str, Any]:
        # Rita takes every second call; the three differ in how often they ask only by chance.
        rep = acme.REPS[(0, 1, 0, 2)[crc32(call.provider_call_id.encode()) % 4]]
        return {
            "contact_id": call.contact_id,
            "call_id": call.id,
            "asked_at": asked_at,
            "asked_by": rep,
            "outcome": outcome,
            "campaign_id": None,
            "channel": None,
            "verbatim": None,
        }

    def happen(self) -> None:
        kinds = {"visit": TouchKind.visit, "form": TouchKind.form, "message": TouchKind.message}
        met = [
            (row, self._meet(row["account_id"], row["contact_id"], row["occurred_at"]))
            for row in self.seen.touches
            if row["kind"] != "call"
        ]
        self.session.flush()
        rows = []
        for row, contact in met:
            campaign = self.campaigns.get(row["campaign"] or "")
            rows.append(
                {
                    "source_key": f"demo {row['touch_id']}",
                    "contact_id": contact.id,
                    "occurred_at": row["occurred_at"],
                    "kind": kinds.get(row["kind"], TouchKind.event),
                    "campaign_id": campaign.id if campaign else None,
                    "channel": None if campaign else row["channel"],
                }
            )
        self.session.execute(insert(Touch), rows)
        counted: dict[tuple[Any, int | None, str | None], int] = {}
        for row in self.seen.visits:
            if not (self.at - acme.WINDOW).date() <= row["day"] <= self.at.date():
                continue
            campaign = self.campaigns.get(row["campaign"])
            place = (row["day"], campaign.id if campaign else None, None if campaign else row["channel"])
            counted[place] = counted.get(place, 0) + row["visits"]
        self.session.add_all(
            VisitCount(day=day, campaign_id=campaign_id, channel=channel, visits=visits, counted_by="Demo")
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
        deal = Deal(
            account=self._meet(row["account_id"], None, row["converted_at"]).account,
            stage=stage,
            amount_minor=amount,
            currency=row["currency"],
            external_id=f"D-{key}",
            name=acme.goods(amount),
            lead_at=row["lead_at"],
            qualified_at=row["qualified_at"],
            # A repeat order comes without an offer before it.
            opportunity_at=row["opportunity_at"] if stage is Stage.won else row["converted_at"],
            closed_at=closed_at,
            margin_minor=row["margin_minor"] if stage is Stage.won else None,
            created_at=row["converted_at"],
        )
        self.session.add(deal)

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
        month = (self.at - acme.WINDOW).date().replace(day=1)
        while (after := acme.month_after(month)) <= today:
            record = CostRecord(
                period_start=month, period_end=after, currency="EUR", category="wages", direct=False,
                minutes=40 * 60, hourly_rate_minor=4_500, note=acme.WAGES,
            )  # fmt: skip
            costs.save(self.session, record, campaign=None)
            site = CostRecord(
                period_start=month,
                period_end=after,
                currency="EUR",
                category="web site",
                amount_minor=120_000,
            )
            costs.save(self.session, site, campaign=self.campaigns["website"])
            month = after

    def watch(self) -> None:
        for reading in self.seen.brand_searches:
            annotations.save_reading(self.session, reading)
        for event in acme.events(self.at):
            annotations.save_event(self.session, event)

    def describe(self) -> None:
        companies = self.session.scalars(
            select(Account).where(Account.external_id.is_not(None)).order_by(Account.id)
        ).all()
        found = acme.domains([company.name or "" for company in companies])
        for company, domain in zip(companies, found, strict=True):
            told = self.seen.accounts[(company.external_id or "").removeprefix("acme-")]
            company.domain = domain
            company.industry, company.region = told["industry"].title(), told["region"].title()
