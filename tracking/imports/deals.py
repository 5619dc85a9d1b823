"""Deals from a CRM's export - HubSpot, Salesforce or a spreadsheet - with its own names and stages."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence, say
from tracking.imports import heard, values
from tracking.imports.headed import NO_CHANNEL, TRACE, Headed, Occurrences, Unmatched, Worded
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome
from tracking.imports.reading import Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import answers, contacts, deals, touches
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import UTM, Sources, Trace, trace
from tracking.records.touches import TouchRecord
from tracking.storage.models import Deal
from tracking.storage.vocabulary import Outcome as Asked
from tracking.storage.vocabulary import Stage, TouchKind

_STAGES = values.words(Stage, "stages")
_MOST_DEALS, _MOST_RESTATED = 100_000, 1000
_ENDED = (Stage.won, Stage.lost)


@dataclass(frozen=True, slots=True)
class _Sold:
    record: DealRecord
    more_numbers: Sequence[str]
    heard_from: str | None
    noted: str | None
    """What the seller noted as the source, other than where the system saw the buyer."""
    seen: tuple[str, TouchKind] | None
    trace: Trace | None
    """What the visit brought along by which the buyer came, where the system kept it."""
    campaign: str | None
    begun: datetime | None


class Deals(Headed):
    """The rows of a deals export."""

    kind = "deals"
    name = "deals"
    aliases = dict.fromkeys(
        (
            "deal_id",
            "name",
            "stage",
            "outcome",
            "amount",
            "expected_amount",
            "currency",
            "margin",
            "company",
            "account_id",
            "domain",
            "person",
            "person_id",
            "phone",
            "mobile",
            "email",
            "lead_at",
            "qualified_at",
            "opportunity_at",
            "closed_at",
            "lost_at",
            "heard_from",
            "source",
            "campaign",
            *TRACE,
        ),
        (),
    )
    looked_at = None
    needed = (
        ("stage", "outcome"),
        ("amount", "expected_amount"),
        ("company", "account_id", "phone", "email", "person_id"),
    )

    def __init__(self, table: Table, dialect: Dialect, region: str, told: Told | None = None) -> None:
        super().__init__(table, dialect, told, region)
        self._region = region
        self._stages = _STAGES | {
            values.fold(name): values.choice(stage, "stage", values.words(Stage))
            for name, stage in (told.stages if told else {}).items()
        }
        self._occurrences = Occurrences()
        self.unmatched = Unmatched()
        self.worded = Worded()
        self._amounts: dict[str, int] = {}
        self._restated: set[str] = set()
        self.name = _system({values.fold(name) for name in self.columns.header})

    def read(self, cells: Sequence[str]) -> _Sold:
        """Read one deal."""

        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        stage = self._stage(cells)
        worth = (
            "amount"
            if cell("amount") or (stage in _ENDED and "amount" in self.columns)
            else "expected_amount"
        )
        if not cell(worth) and cell("expected_amount"):
            worth = "expected_amount"
        if worth not in self.columns and "amount" in self.columns:
            worth = "amount"
        currency = self.currency(cells, worth)
        amount = self.amount(cells, worth, currency)
        if amount is not None and amount < 0 and stage is not Stage.lost:
            raise Invalid(worth, "must be 0 or more")
        moments = {
            name: self.moment(cells, name, end_of_day=True)
            for name in ("lead_at", "qualified_at", "opportunity_at", "closed_at")
        }
        if stage is Stage.lost and cell("lost_at"):
            moments["closed_at"] = self.moment(cells, "lost_at", end_of_day=True)
        if stage not in _ENDED:
            # Until then it is the day on which the seller hopes to close.
            moments["closed_at"] = None
        elif moments["closed_at"] is None and "closed_at" not in self.columns:
            raise Invalid(
                "closed_at",
                "no column for it, but the deal is %(stage)s; choose the column with the close date",
                stage=stage,
            )
        numbers = [
            number
            for name in ("phone", "mobile")
            for number in values.telephones(cell(name), name, self._region)
        ]
        clues = self._clues(cells, numbers)
        name = values.text(cell("name"), "name", 1000) or ""
        deal_id = values.identifier(cell("deal_id"), "deal_id")
        begun = moments["lead_at"] or moments["opportunity_at"]
        said = amount is not None or "amount" not in self.columns
        named = bool(cell("currency")) or self.dialect.currency_told or currency != self.dialect.currency
        record = DealRecord(
            clues=clues,
            stage=stage,
            amount_minor=amount,
            currency=currency,
            currency_named=said and named,
            external_id=deal_id or self._occurrences.key(clues.company, clues.external_id, name, begun),
            name=name,
            margin_minor=self.amount(cells, "margin", currency),
            **moments,
        )
        if deal_id and amount is not None:
            # A row for each product of a deal, say.
            if self._amounts.get(deal_id, amount) != amount and len(self._restated) < _MOST_RESTATED:
                self._restated.add(deal_id)
            if len(self._amounts) < _MOST_DEALS:
                self._amounts[deal_id] = amount
        said_so = values.text(cell("heard_from"), "heard_from", answers.LONGEST_VERBATIM)
        source, came = values.text(cell("source"), "source", 2000), self.trace(cells)
        if source and "utm_" in source.casefold():
            # An address, or its query alone.
            address = source if "?" in source or "/" in source else f"?{source}"
            came = trace(address, told=_told(came) if came else None)
            source = None
        noted, seen = heard.source(values.text(source or "", "source"))
        if came is not None and not (came.tagged or came.click_ids or came.referrer):
            came = None
        campaign = values.text(cell("campaign"), "campaign")
        more = tuple(dict.fromkeys(numbers))[1:]
        return _Sold(record, more, said_so, noted, seen, came, campaign, begun)

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row."""
        yield partial(self._stage, cells)
        yield from super().looks(cells)
        for name in ("phone", "mobile"):
            yield partial(values.telephones, self.columns.cell(cells, name), name, self._region)

    def save(self, session: Session, records: Sequence[_Sold], at: datetime) -> Sequence[Outcome]:
        """Add the deals, or bring them up to date."""
        found = self.campaigns.find(session, {r.campaign: NO_CHANNEL for r in records if r.campaign}, at)
        known = Sources(session) if any(sold.trace for sold in records) else None

        def one(sold: _Sold) -> ImportOutcome:
            deal, effect = deals.save(session, sold.record, at=at)
            if deal.stage is Stage.won and deal.closed_at is not None:
                self.spent_on(deal.currency, deal.closed_at.astimezone(self.dialect.zone).date())
            contacts.also_reached(session, contacts.root(session, deal.account), sold.more_numbers, at=at)
            campaign = found.get(sold.campaign or "")
            before = sold.begun or deal.opportunity_at or deal.closed_at or at
            for told, kind in ((sold.heard_from, "deal"), (sold.noted, "deal's noted source")):
                if not told:
                    continue
                meant = heard.meaning(session, told)
                self.worded.note(told, meant)
                answers.log(
                    session,
                    Asked.answered,
                    asked_at=before,
                    contact=contacts.contact_for(session, _who(deal, sold.record.clues), at=at),
                    deal=deal,
                    campaign=meant.campaign if meant else None,
                    channel=meant.channel if meant else None,
                    verbatim=told,
                    source_key=values.content_key(kind, sold.record.external_id, told),
                )
            if sold.seen or sold.trace or campaign:
                channel, kind = sold.seen or (None, TouchKind.visit if sold.trace else TouchKind.other)
                touch, _ = touches.save(
                    session,
                    TouchRecord(
                        source_key=values.content_key("deal's source", sold.record.external_id),
                        clues=_who(deal, sold.record.clues),
                        occurred_at=before,
                        kind=kind,
                        channel=None if campaign else channel,
                        trace=sold.trace,
                    ),
                    at=at,
                    campaign=campaign,
                    sources=known,
                )
                if known is not None and touch.campaign_id is None:
                    self.unmatched.note(sold.trace, known)
            return effect

        outcomes = each(session, records, one)
        self.campaigns.keep(session, found, zip((r.campaign for r in records), outcomes, strict=True))
        return outcomes

    def remarks(self) -> Sequence[Sentence]:
        """Say what a file without ids leads to, and whose tags name no campaign."""
        found = [*super().remarks(), *self.unmatched.remarks(), *self.worded.remarks()]
        if self._restated:
            found.append(
                say(
                    "deal IDs that are in several rows with different amounts, of which the last counts: "
                    "%(ids)s",
                    ids=", ".join(sorted(self._restated)[:5]) + ("…" if len(self._restated) > 5 else ""),
                )
            )
        if "deal_id" not in self.columns:
            found.append(
                say(
                    "no column has deal IDs, so a row that changes counts as a new deal in the next file; "
                    "export the deals with their IDs"
                )
            )
        return found

    def _stage(self, cells: Sequence[str]) -> Stage:
        """Read how far a deal came: its outcome, where it is won or lost, else the stage it is in."""
        said = {name: self.columns.cell(cells, name) for name in ("outcome", "stage")}
        ended = self._known(said["outcome"]) if said["outcome"] else None
        if ended in _ENDED:
            return ended
        field = "stage" if said["stage"] else "outcome"
        found = self._known(said[field])
        if ended is not None and found in _ENDED:
            # The outcome is the system's own word; a stage may be named after what is hoped for.
            return ended
        if found is None:
            return values.choice(said[field], field, self._stages, f'--stage "{said[field]}=opportunity"')
        return found

    def _known(self, word: str) -> Stage | None:
        for form in forms_of(word):
            if (found := self._stages.get(values.fold(form))) is not None:
                return found
        return None

    def _clues(self, cells: Sequence[str], numbers: Sequence[str]) -> Clues:
        def cell(name: str) -> str | None:
            # HubSpot lists several associations in one cell; the first is the primary one.
            return values.text(self.columns.cell(cells, name).partition(";")[0], name)

        def known(name: str) -> str | None:
            return values.identifier(self.columns.cell(cells, name).partition(";")[0], name)

        person, email = cell("person"), cell("email")
        if person and (both := _WITH_ADDRESS.fullmatch(person)):
            person, email = both[1].strip() or None, email or both[2]
        return Clues(
            external_id=known("account_id"),
            company=cell("company"),
            domain=_domain(cell("domain")),
            phone=numbers[0] if numbers else None,
            email=email,
            person=person,
            person_id=known("person_id"),
        )


def _told(came: Trace) -> dict[str, str | None]:
    return {name: getattr(came, name) for name in UTM} | dict(came.click_ids)


def forms_of(word: str) -> tuple[str, ...]:
    """Return a stage as systems write it, and without what they add.

    HubSpot appends the pipeline's name, "Closed Won (Sales Pipeline)"; Dynamics puts a number before it,
    "2-Propose"; Bitrix24 the pipeline, "C14:WON".
    """
    return word, word.partition("(")[0], word.lstrip("0123456789-. "), word.rpartition(":")[2]


_WITH_ADDRESS = re.compile(r"([^(<]{0,150})[(<]([^@\s()<>]{1,64}@[^@\s()<>]{1,150})[)>]")


def _who(deal: Deal, clues: Clues) -> Clues:
    return (
        clues if clues != Clues() else Clues(company=deal.account.name, external_id=deal.account.external_id)
    )


def _system(names: set[str]) -> str:
    for system, told in (
        ("HubSpot deals", {"record id", "deal stage"}),
        ("Salesforce opportunities", {"opportunity name", "account name"}),
        ("Salesforce opportunities", {"stagename", "closedate"}),
        ("Dynamics 365 opportunities", {"do not modify opportunity"}),
        ("Dynamics 365 opportunities", {"topic", "potential customer"}),
        ("Pipedrive deals", {"deal title", "deal status"}),
        ("Zoho deals", {"record id", "closing date"}),
        ("Bitrix24 deals", {"стадия сделки"}),
        ("amoCRM deals", {"этап сделки"}),
    ):
        if told <= names:
            return system
    return "Salesforce opportunities" if names & {"opportunity id", "opportunity name"} else "deals"


def _domain(text: str | None) -> str | None:
    bare = (text or "").casefold().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return bare.partition("/")[0] or None
