"""From the database to the journey tables: the only form in which anything is attributed or reported."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from attribution import ANSWERS, CALLS, CONVERSIONS, COSTS, TOUCHES, VISITS
from tracking import contacts, rates
from tracking.db import micros, to_micros
from tracking.models import (
    Account,
    AdMaterial,
    Answer,
    Call,
    Campaign,
    Contact,
    Cost,
    Deal,
    Touch,
    VisitCount,
)
from tracking.vocabulary import LeadStatus, Stage, TouchKind

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


def export(session: Session, *, currency: str) -> Journeys:
    """Read the journey tables in one snapshot; amounts are in ``currency``, converted at their day's rate.

    Calls marked as spam stay in ``calls`` and leave ``touches``. Merged accounts and contacts appear as
    what they count as.

    Raises
    ------
    Invalid
        If an amount is in a currency for which there is no exchange rate on its day.
    """
    companies = contacts.roots(session, Account)
    people = contacts.roots(session, Contact)
    # A contact that was merged counts to the company of the one it turned out to be.
    where_to = select(Contact.id, Contact.account_id).where(Contact.id.in_(set(people.values())))
    home = {row.id: row.account_id for row in session.execute(where_to)}

    def account(contact_id: int, account_id: int) -> int:
        account_id = home.get(people.get(contact_id, contact_id), account_id)
        return companies.get(account_id, account_id)

    convert = rates.converter(session, currency)
    touches, leads = _touches(session, account, people)
    calls, qualified = _calls(session, account, people)
    return Journeys(
        touches=touches,
        conversions=_conversions(session, companies, leads, qualified, convert, currency),
        costs=_costs(session, convert, currency),
        answers=_answers(session, account, people),
        calls=calls,
        visits=_visits(session),
    )


def with_opportunities(session: Session, tables: Journeys, *, currency: str) -> Journeys:
    """Return the tables with a conversion for each deal that became an opportunity, also where it was lost.

    Credit has no use for them; what reads how deals go on does, such as fitting a simulated market.
    """
    companies = contacts.roots(session, Account)
    query = select(Deal.id, Deal.account_id, micros(Deal.opportunity_at).label("converted_at"))
    rows = _columns(session, query.where(Deal.opportunity_at.is_not(None)).order_by(Deal.id))
    count = len(rows["id"])
    told: dict[str, list[Any]] = {name: [None] * count for name in CONVERSIONS.names} | {
        "conversion_id": [f"opportunity {number}" for number in rows["id"]],
        "account_id": [companies.get(account, account) for account in rows["account_id"]],
        "goal": ["opportunity"] * count,
        "converted_at": rows["converted_at"],
        "value_minor": [0] * count,
        "currency": [currency] * count,
    }
    more = _table(CONVERSIONS, **told).cast(tables.conversions.schema)
    return replace(tables, conversions=pa.concat_tables([tables.conversions, more]))


_AccountOf = Callable[[int, int], int]


def _touches(
    session: Session, account: _AccountOf, people: Mapping[int, int]
) -> tuple[pa.Table, "_Earliest"]:
    """Return the touches, and for each buying company its first inquiry not judged "not a lead"."""
    query = (
        select(
            Touch.id,
            Touch.contact_id,
            Contact.account_id,
            micros(Touch.occurred_at).label("occurred_at"),
            Campaign.name.label("campaign"),
            func.coalesce(Touch.channel, Campaign.channel).label("channel"),
            Touch.kind,
            # A name is unique within its campaign only.
            (Campaign.name + " / " + AdMaterial.name).label("ad_material"),
            Call.lead_status,
        )
        .join(Contact, Contact.id == Touch.contact_id)
        .outerjoin(Campaign, Campaign.id == Touch.campaign_id)
        .outerjoin(AdMaterial, AdMaterial.id == Touch.ad_material_id)
        .outerjoin(Call, Call.id == Touch.call_id)
        .where(Call.spam.is_not(True))
        .order_by(Touch.id)
    )
    rows = _columns(session, query)
    accounts = [account(c, a) for c, a in zip(rows["contact_id"], rows["account_id"], strict=True)]
    leads = _Earliest()
    for company, moment, kind, judged in zip(
        accounts, rows["occurred_at"], rows["kind"], rows["lead_status"], strict=True
    ):
        if kind in _INQUIRIES and judged is not LeadStatus.not_a_lead:
            leads.note(company, moment)
    table = _table(
        TOUCHES,
        touch_id=rows["id"],
        account_id=accounts,
        contact_id=[people.get(c, c) for c in rows["contact_id"]],
        occurred_at=rows["occurred_at"],
        campaign=rows["campaign"],
        channel=rows["channel"],
        kind=rows["kind"],
        ad_material=rows["ad_material"],
    )
    return table, leads


def _calls(session: Session, account: _AccountOf, people: Mapping[int, int]) -> tuple[pa.Table, "_Earliest"]:
    """Return the calls, and for each buying company its first call judged a good lead."""
    query = (
        select(
            Call.id,
            Call.contact_id,
            Contact.account_id,
            micros(Call.started_at).label("started_at"),
            Campaign.name.label("campaign"),
            Campaign.channel,
            Call.status,
            func.coalesce(Call.duration_s, 0).label("duration_s"),
            func.coalesce(Call.talk_s, 0).label("talk_s"),
            Call.lead_status,
            Call.spam,
        )
        .join(Contact, Contact.id == Call.contact_id)
        .outerjoin(Touch, Touch.call_id == Call.id)
        .outerjoin(Campaign, Campaign.id == Touch.campaign_id)
        .order_by(Call.started_at, Call.id)
    )
    rows = _columns(session, query)
    callers = [people.get(c, c) for c in rows["contact_id"]]
    seen: set[int] = set()
    # Derived, not stored: a call reported late may turn out to be the first.
    first = []
    for caller in callers:
        first.append(caller not in seen)
        seen.add(caller)
    accounts = [account(c, a) for c, a in zip(rows["contact_id"], rows["account_id"], strict=True)]
    qualified = _Earliest()
    for company, moment, judged, spam in zip(
        accounts, rows["started_at"], rows["lead_status"], rows["spam"], strict=True
    ):
        if judged is LeadStatus.good_lead and not spam:
            qualified.note(company, moment)
    table = _table(
        CALLS,
        call_id=rows["id"],
        account_id=accounts,
        started_at=rows["started_at"],
        campaign=rows["campaign"],
        channel=rows["channel"],
        status=rows["status"],
        duration_s=rows["duration_s"],
        talk_s=rows["talk_s"],
        first_call=first,
        lead_status=rows["lead_status"],
        spam=rows["spam"],
    )
    return table, qualified


def _conversions(
    session: Session,
    companies: Mapping[int, int],
    lead: "_Earliest",
    qualified: "_Earliest",
    convert: rates.Converter,
    currency: str,
) -> pa.Table:
    """Won deals, and for each buying company the moments it became a lead and a qualified lead.

    A company is a lead at its first inquiry or the first moment a deal gives, and qualified at its first
    good call or the first moment a deal reached that stage or a later one. So whoever buys was qualified,
    and whoever qualified was a lead.
    """
    deals = []
    for deal in session.scalars(select(Deal).order_by(Deal.id)):
        account = companies.get(deal.account_id, deal.account_id)
        won = deal.closed_at if deal.stage is Stage.won else None
        moments = [
            None if m is None else to_micros(m)
            for m in (deal.lead_at, deal.qualified_at, deal.opportunity_at, won)
        ]
        for moment in filter(None, moments[1:]):
            qualified.note(account, moment)
        for moment in filter(None, moments):
            lead.note(account, moment)
        if won is not None:
            deals.append((deal, account, won, moments))
    for account, moment in qualified.items():
        lead.note(account, moment)
    rows: list[dict[str, Any]] = []
    for deal, account, won, moments in deals:
        day, converted = won.date(), to_micros(won)
        first = lead.of(account)
        margin = deal.margin_minor
        rows.append(
            {
                "conversion_id": f"deal {deal.id}",
                "account_id": account,
                "goal": "won",
                "converted_at": converted,
                "value_minor": convert(deal.amount_minor, deal.currency, day, f"deal {deal.id}"),
                "margin_minor": None
                if margin is None
                else convert(margin, deal.currency, day, f"deal {deal.id}"),
                "lead_at": moments[0] or (first if first is not None and first <= converted else None),
                "qualified_at": moments[1],
                "opportunity_at": moments[2],
            }
        )
    for goal, reached in (("lead", lead), ("qualified", qualified)):
        rows += [
            {
                "conversion_id": f"{goal} {account}",
                "account_id": account,
                "goal": goal,
                "converted_at": moment,
            }
            for account, moment in sorted(reached.items())
        ]
    for row in rows:
        row["currency"] = currency
        row.setdefault("value_minor", 0)
    return _table(CONVERSIONS, **{name: [row.get(name) for row in rows] for name in CONVERSIONS.names})


def _costs(session: Session, convert: rates.Converter, currency: str) -> pa.Table:
    query = (
        select(Cost, Campaign.name, Campaign.channel)
        .outerjoin(Campaign, Campaign.id == Cost.campaign_id)
        .order_by(Cost.id)
    )
    rows = session.execute(query).all()
    return _table(
        COSTS,
        campaign=[name for _, name, _ in rows],
        channel=[channel for _, _, channel in rows],
        period_start=[cost.period_start for cost, _, _ in rows],
        period_end=[cost.period_end for cost, _, _ in rows],
        amount_minor=[
            convert(c.amount_minor, c.currency, c.period_start, f"cost {c.id}") for c, _, _ in rows
        ],
        currency=[currency] * len(rows),
        category=[cost.category for cost, _, _ in rows],
        direct=[cost.direct for cost, _, _ in rows],
    )


def _answers(session: Session, account: _AccountOf, people: Mapping[int, int]) -> pa.Table:
    corrected = select(Answer.corrects_id).where(Answer.corrects_id.is_not(None))
    query = (
        select(
            Answer.id,
            Answer.contact_id,
            Contact.account_id,
            Answer.call_id,
            micros(Answer.asked_at).label("asked_at"),
            Answer.asked_by,
            Answer.outcome,
            Campaign.name.label("campaign"),
            func.coalesce(Answer.channel, Campaign.channel).label("channel"),
            Answer.verbatim,
        )
        .join(Contact, Contact.id == Answer.contact_id)
        .outerjoin(Campaign, Campaign.id == Answer.campaign_id)
        .where(Answer.id.not_in(corrected))
        .order_by(Answer.id)
    )
    rows = _columns(session, query)
    return _table(
        ANSWERS,
        answer_id=rows["id"],
        account_id=[account(c, a) for c, a in zip(rows["contact_id"], rows["account_id"], strict=True)],
        contact_id=[people.get(c, c) for c in rows["contact_id"]],
        call_id=rows["call_id"],
        asked_at=rows["asked_at"],
        rep=rows["asked_by"],
        outcome=rows["outcome"],
        campaign=rows["campaign"],
        channel=rows["channel"],
        verbatim=rows["verbatim"],
    )


def _visits(session: Session) -> pa.Table:
    channel: ColumnElement[str | None] = func.coalesce(VisitCount.channel, Campaign.channel)
    query = (
        select(
            VisitCount.day,
            Campaign.name,
            channel.label("channel"),
            VisitCount.visits,
        )
        .outerjoin(Campaign, Campaign.id == VisitCount.campaign_id)
        .order_by(VisitCount.id)
    )
    rows = _columns(session, query)
    return _table(
        VISITS, day=rows["day"], campaign=rows["name"], channel=rows["channel"], visits=rows["visits"]
    )


class _Earliest:
    """The earliest moment noted for each account."""

    def __init__(self) -> None:
        self._moments: dict[int, int] = {}

    def note(self, account: int, moment: int) -> None:
        self._moments[account] = min(moment, self._moments.get(account, moment))

    def of(self, account: int) -> int | None:
        return self._moments.get(account)

    def items(self) -> Iterable[tuple[int, int]]:
        return list(self._moments.items())


def _columns(session: Session, query: Select[*tuple[Any, ...]]) -> dict[str, list[Any]]:
    result = session.execute(query)
    names = list(result.keys())
    rows = result.all()
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _table(schema: pa.Schema, **columns: list[Any]) -> pa.Table:
    fields, arrays = [], []
    for field in schema:
        values, kind = columns[field.name], field.type
        if field.name.endswith("_id") and all(v is None or isinstance(v, int) for v in values):
            kind = pa.int64()
        if pa.types.is_timestamp(kind):
            array = pa.array(values, pa.int64()).cast(kind)
        else:
            array = pa.array(values, kind)
        fields.append(pa.field(field.name, kind, nullable=field.nullable))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
