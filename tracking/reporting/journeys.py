"""From the database to the journey tables: the only form in which anything is attributed or reported."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Select, String, bindparam, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution import ANSWERS, CALLS, CONVERSIONS, COSTS, TOUCHES, VISITS
from tracking.records import contacts, rates
from tracking.reporting.spending import costs, visits
from tracking.storage.column_types import from_micros, micros
from tracking.storage.columns import Column, Ints, in_form, look_up, read, replaced, rows_between, rows_of
from tracking.storage.models import (
    Account,
    AdMaterial,
    Answer,
    Call,
    Campaign,
    Contact,
    Deal,
    Touch,
)
from tracking.storage.vocabulary import LeadStatus, Stage, TouchKind
from tracking.telephony.calls import PRACTICE

_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])

BY_ACCOUNT = ("touches", "conversions", "answers", "calls")
# So many touches at a time are shared in the least memory in which no pass is felt (measured).
_PART = 500_000
# By these a buying company gets in touch; a visit or a fair badge alone does not make it a lead.
_INQUIRIES = frozenset({TouchKind.call, TouchKind.form, TouchKind.message})


@dataclass(frozen=True, slots=True)
class Journeys:
    """The journey tables of an installation, each in the form of the contract."""

    touches: pa.Table
    conversions: pa.Table
    costs: pa.Table
    answers: pa.Table
    calls: pa.Table
    visits: pa.Table

    def of(self, accounts: Ints) -> "Journeys":
        """Return the rows of some accounts, where all are sorted by account; without costs and visits."""
        return self._only(partial(rows_of, numbers=accounts))

    def parts(self) -> Iterator["Journeys"]:
        """Yield the rows of all accounts, sorted by account, a part of the accounts at a time."""
        accounts = self.touches["account_id"].to_numpy()
        cuts = np.unique(accounts[_PART::_PART])
        for after, last in pairwise([None, *cuts.tolist(), None]):
            yield self._only(partial(rows_between, after=after, last=last))

    def _only(self, rows: Callable[[pa.Table], pa.Table]) -> "Journeys":
        found = {name: rows(getattr(self, name)) for name in BY_ACCOUNT}
        return Journeys(**found, costs=self.costs.slice(0, 0), visits=self.visits.slice(0, 0))


def export(session: Session, *, currency: str, zone: ZoneInfo) -> Journeys:
    """Read the journey tables in one snapshot, amounts in ``currency`` at the rate of their day in ``zone``.

    Calls marked as spam stay in ``calls`` and leave ``touches`` and ``answers``; practice calls are in none.
    Merged accounts and contacts appear as what they count as.

    Raises
    ------
    Invalid
        If an amount is in a currency for which there is no exchange rate on its day.
    """
    spent = costs(session, currency=currency, zone=zone)
    return _export(session, currency, zone, _People.read(session), spent, visits(session))


def export_of(session: Session, accounts: Collection[int], *, currency: str, zone: ZoneInfo) -> Journeys:
    """Read the rows of some buying companies, each of which counts as itself; without costs and visits.

    Raises
    ------
    Invalid
        As :func:`export`.
    """
    people = _People.read(session, accounts)
    return _export(session, currency, zone, people, COSTS.empty_table(), VISITS.empty_table())


def _export(
    session: Session,
    currency: str,
    zone: ZoneInfo,
    people: "_People",
    costs: pa.Table,
    visits: pa.Table,
) -> Journeys:
    sources = _Sources.read(session)
    touches, calls = _read_touches(session, people), _read_calls(session, people)
    convert = rates.converter(session, currency, zone)
    exported, inquiries = _touches(touches, calls, people, sources)
    spam = calls.filter(calls["spam"])["id"]
    # Whoever tries a number out is no caller, not even one of spam.
    attended, good = _calls(calls.filter(pc.invert(calls["practice"])), touches, people, sources)
    return Journeys(
        touches=exported,
        conversions=_conversions(session, people, inquiries, good, convert, currency, zone),
        costs=costs,
        answers=_answers(session, people, sources, spam),
        calls=attended,
        visits=visits,
    )


def with_opportunities(session: Session, tables: Journeys, *, currency: str) -> Journeys:
    """Return the tables with a conversion for each deal that became an opportunity, also where it was lost.

    Credit has no use for them; what reads how deals go on does, such as fitting a simulated market.
    """
    columns = (Deal.id, Deal.account_id, micros(Deal.opportunity_at).label("at"))
    rows = read(session, select(*columns).where(Deal.opportunity_at.is_not(None)), {})
    account = replaced(rows["account_id"].to_numpy(), contacts.roots(session, Account))
    more = _reached(
        "opportunity", rows["id"], currency, account_id=pa.array(account), converted_at=rows["at"]
    )
    return replace(tables, conversions=pa.concat_tables([tables.conversions, more]))


@dataclass(frozen=True, slots=True)
class _People:
    """For each contact, by rising id, the contact and the account that it counts as."""

    ids: Ints
    contacts: Ints
    accounts: Ints
    companies: Mapping[int, int]
    only: frozenset[int] | None = None
    """Accounts, merged ones included, whose contacts these are; None: all."""

    @classmethod
    def read(cls, session: Session, wanted: Collection[int] | None = None) -> Self:
        """Read all contacts, or those of some accounts that count as themselves."""
        companies, people = contacts.roots(session, Account), contacts.roots(session, Contact)
        query, only = select(Contact.id, Contact.account_id), None
        if wanted is not None:
            roots = set(wanted)
            only = frozenset(roots | {account for account, root in companies.items() if root in roots})
            own = set(session.scalars(_among(select(Contact.id), Contact.account_id, only)))
            # Who was merged into one of these counts here; who was merged into another has its home there.
            own |= {contact for contact, root in people.items() if root in own}
            query = _among(query, Contact.id, own | {people[contact] for contact in own if contact in people})
        rows = read(session, query, {})
        ids = rows["id"].to_numpy()
        # A contact that was merged counts to the company of the one it turned out to be.
        turned = replaced(ids, people)
        homes = replaced(rows["account_id"].to_numpy()[np.searchsorted(ids, turned)], companies)
        if wanted is None:
            return cls(ids, turned, homes, companies)
        here = np.isin(homes, list(wanted))
        return cls(ids[here], turned[here], homes[here], companies, only)

    def mine(self, query: _Query, contact: InstrumentedAttribute[int]) -> _Query:
        """Restrict a query to rows of these contacts."""
        return query if self.only is None else _among(query, contact, self.ids.tolist())

    def of(self, contact_ids: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
        """Return contacts and accounts as what they count as."""
        place = np.searchsorted(self.ids, contact_ids.to_numpy())
        return pa.array(self.contacts[place]), pa.array(self.accounts[place])


@dataclass(frozen=True, slots=True)
class _Sources:
    """Campaigns and ad material: few names, looked up by id rather than joined to millions of rows."""

    campaigns: pa.Table
    materials: pa.Table

    @classmethod
    def read(cls, session: Session) -> Self:
        kinds = {"id": pa.int64(), "name": pa.string(), "channel": pa.string()}
        campaigns = read(session, select(Campaign.id, Campaign.name, Campaign.channel), kinds)
        return cls(campaigns, read(session, select(AdMaterial.id, AdMaterial.name), kinds))

    def name(self, campaign_ids: pa.ChunkedArray) -> pa.ChunkedArray:
        return look_up(self.campaigns, "name", campaign_ids)

    def channel(self, campaign_ids: pa.ChunkedArray) -> pa.ChunkedArray:
        return look_up(self.campaigns, "channel", campaign_ids)

    def material(self, campaign_ids: pa.ChunkedArray, material_ids: pa.ChunkedArray) -> pa.ChunkedArray:
        # A name is unique within its campaign only.
        own = look_up(self.materials, "name", material_ids)
        return pc.binary_join_element_wise(self.name(campaign_ids), own, " / ")


def _among(query: _Query, column: InstrumentedAttribute[int], ids: Collection[int]) -> _Query:
    # Written out: databases take fewer parameters than there may be ids.
    return query.where(column.in_(bindparam(None, list(ids), expanding=True, literal_execute=True)))


def _read_touches(session: Session, people: _People) -> pa.Table:
    columns = (
        Touch.id,
        Touch.contact_id,
        micros(Touch.occurred_at).label("occurred_at"),
        type_coerce(Touch.kind, String).label("kind"),
        Touch.campaign_id,
        Touch.ad_material_id,
        Touch.channel,
        Touch.call_id,
    )
    text = {"kind": pa.string(), "channel": pa.string()}
    return read(session, people.mine(select(*columns), Touch.contact_id), text)


def _read_calls(session: Session, people: _People) -> pa.Table:
    columns = (
        Call.id,
        Call.contact_id,
        micros(Call.started_at).label("started_at"),
        type_coerce(Call.status, String).label("status"),
        func.coalesce(Call.duration_s, 0).label("duration_s"),
        func.coalesce(Call.talk_s, 0).label("talk_s"),
        type_coerce(Call.lead_status, String).label("lead_status"),
        Call.spam,
        (Call.provider == PRACTICE).label("practice"),
    )
    flags = dict.fromkeys(("spam", "practice"), pa.bool_())
    text = {"status": pa.string(), "lead_status": pa.string()} | flags
    rows = read(session, people.mine(select(*columns), Call.contact_id), text)
    return rows.sort_by([("started_at", "ascending"), ("id", "ascending")])


def _touches(
    rows: pa.Table, calls: pa.Table, people: _People, sources: _Sources
) -> tuple[pa.Table, pa.Table]:
    """Return the touches, and each inquiry that was not judged "not a lead"."""
    spam = calls.filter(calls["spam"])["id"]
    rows = rows.filter(pc.invert(pc.is_in(rows["call_id"], spam)))
    contact, account = people.of(rows["contact_id"])
    campaign = rows["campaign_id"]
    table = in_form(
        TOUCHES,
        touch_id=rows["id"],
        account_id=account,
        contact_id=contact,
        occurred_at=rows["occurred_at"],
        campaign=sources.name(campaign),
        channel=pc.coalesce(rows["channel"], sources.channel(campaign)),
        kind=rows["kind"],
        ad_material=sources.material(campaign, rows["ad_material_id"]),
    )
    rejected = calls.filter(pc.equal(calls["lead_status"], LeadStatus.not_a_lead.value))["id"]
    inquiries = pc.and_(
        pc.is_in(rows["kind"], pa.array([kind.value for kind in _INQUIRIES])),
        pc.invert(pc.is_in(rows["call_id"], rejected)),
    )
    return table, _moments(account, rows["occurred_at"]).filter(inquiries)


def _calls(
    rows: pa.Table, touches: pa.Table, people: _People, sources: _Sources
) -> tuple[pa.Table, pa.Table]:
    """Return the calls by moment, and each that was judged a good lead."""
    contact, account = people.of(rows["contact_id"])
    campaign = look_up(touches, "campaign_id", rows["id"], key="call_id")
    # Derived, not stored: a call reported late may turn out to be the first.
    first = np.zeros(rows.num_rows, dtype=bool)
    first[np.unique(contact.to_numpy(), return_index=True)[1]] = True
    table = in_form(
        CALLS,
        call_id=rows["id"],
        account_id=account,
        started_at=rows["started_at"],
        campaign=sources.name(campaign),
        channel=sources.channel(campaign),
        status=rows["status"],
        duration_s=rows["duration_s"],
        talk_s=rows["talk_s"],
        first_call=pa.array(first),
        lead_status=rows["lead_status"],
        spam=rows["spam"],
    )
    good = pc.and_(pc.equal(rows["lead_status"], LeadStatus.good_lead.value), pc.invert(rows["spam"]))
    return table, _moments(account, rows["started_at"]).filter(good)


def _conversions(
    session: Session,
    people: _People,
    inquiries: pa.Table,
    good: pa.Table,
    convert: rates.Converter,
    currency: str,
    zone: ZoneInfo,
) -> pa.Table:
    """Won deals, and for each buying company the moments it became a lead and a qualified lead.

    A company is a lead at its first inquiry or the first moment a deal gives, and qualified at its first
    good call or the first moment a deal reached that stage or a later one. So whoever buys was qualified,
    and whoever qualified was a lead.
    """
    stages = [Deal.lead_at, Deal.qualified_at, Deal.opportunity_at, Deal.closed_at]
    query = select(
        Deal.id,
        Deal.account_id,
        type_coerce(Deal.stage, String).label("stage"),
        Deal.amount_minor,
        Deal.margin_minor,
        Deal.currency,
        *(micros(column).label(column.key) for column in stages),
    )
    text = {"stage": pa.string(), "currency": pa.string()}
    deals = read(session, query if people.only is None else _among(query, Deal.account_id, people.only), text)
    account = pa.array(replaced(deals["account_id"].to_numpy(), people.companies))
    is_won = pc.equal(deals["stage"], Stage.won.value)
    closed = pc.if_else(is_won, deals["closed_at"], None)
    reached = [
        _moments(account, moments) for moments in (deals["qualified_at"], deals["opportunity_at"], closed)
    ]
    qualified = _earliest(good, *reached)
    lead = _earliest(inquiries, qualified, _moments(account, deals["lead_at"]), *reached)
    won = deals.set_column(1, "account_id", account).filter(is_won)
    first = look_up(lead, "at", won["account_id"], key="account_id")
    before = pc.if_else(pc.less_equal(first, won["closed_at"]), first, None)
    days = [from_micros(moment).astimezone(zone).date() for moment in won["closed_at"].to_pylist()]
    names = [f"deal {number}" for number in won["id"].to_pylist()]

    def converted(column: str) -> pa.Array:
        amounts = zip(won[column].to_pylist(), won["currency"].to_pylist(), days, names, strict=True)
        return pa.array([None if a is None else convert(a, c, d, n) for a, c, d, n in amounts], pa.int64())

    sold = _reached(
        "won",
        won["id"],
        currency,
        account_id=won["account_id"],
        converted_at=won["closed_at"],
        value_minor=converted("amount_minor"),
        margin_minor=converted("margin_minor"),
        lead_at=pc.coalesce(won["lead_at"], before),
        qualified_at=won["qualified_at"],
        opportunity_at=won["opportunity_at"],
    )
    became = [
        _reached(
            goal, table["account_id"], currency, account_id=table["account_id"], converted_at=table["at"]
        )
        for goal, table in (("lead", lead), ("qualified", qualified))
    ]
    return pa.concat_tables([sold, *became])


def _reached(goal: str, ids: Column, currency: str, **columns: Column) -> pa.Table:
    """Return conversions of one goal, each named after the deal or account that reached it."""
    count, named = len(ids), "deal" if goal == "won" else goal
    given: dict[str, Column] = {name: pa.nulls(count) for name in CONVERSIONS.names}
    given |= {
        "conversion_id": pc.binary_join_element_wise(named, ids.cast(pa.string()), " "),
        "goal": pa.repeat(goal, count),
        "value_minor": pa.repeat(pa.scalar(0, pa.int64()), count),
        "currency": pa.repeat(currency, count),
    }
    return in_form(CONVERSIONS, **given | columns)


def _answers(session: Session, people: _People, sources: _Sources, spam: pa.ChunkedArray) -> pa.Table:
    """Return the answers that stand, but for those at calls that are spam: these are nobody's."""
    corrected = select(Answer.corrects_id).where(Answer.corrects_id.is_not(None))
    columns = (
        Answer.id,
        Answer.contact_id,
        Answer.call_id,
        micros(Answer.asked_at).label("asked_at"),
        Answer.asked_by,
        type_coerce(Answer.outcome, String).label("outcome"),
        Answer.campaign_id,
        Answer.channel,
        Answer.verbatim,
    )
    query = people.mine(select(*columns).where(Answer.id.not_in(corrected)), Answer.contact_id)
    text = dict.fromkeys(("asked_by", "outcome", "channel", "verbatim"), pa.string())
    rows = read(session, query, text)
    rows = rows.filter(pc.invert(pc.is_in(rows["call_id"], spam)))
    contact, account = people.of(rows["contact_id"])
    return in_form(
        ANSWERS,
        answer_id=rows["id"],
        account_id=account,
        contact_id=contact,
        call_id=rows["call_id"],
        asked_at=rows["asked_at"],
        rep=rows["asked_by"],
        outcome=rows["outcome"],
        campaign=sources.name(rows["campaign_id"]),
        channel=pc.coalesce(rows["channel"], sources.channel(rows["campaign_id"])),
        verbatim=rows["verbatim"],
    )


def _moments(accounts: Column, moments: Column) -> pa.Table:
    return pa.table({"account_id": accounts, "at": moments})


def _earliest(*tables: pa.Table) -> pa.Table:
    """Return the earliest moment of each account, by account."""
    known = pa.concat_tables(tables).drop_null()
    found = known.group_by("account_id").aggregate([("at", "min")]).rename_columns(["account_id", "at"])
    return found.sort_by("account_id")
