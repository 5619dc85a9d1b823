"""Deals from a CRM's export - HubSpot, Salesforce or a spreadsheet - with its own names and stages."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.headed import Headed, Occurrences
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome
from tracking.imports.reading import Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import deals
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money, phone
from tracking.storage.vocabulary import Stage

# HubSpot's default sales pipeline by label and internal name, Salesforce's default opportunity stages.
# Which of them counts as qualified is a judgement; --stage changes it.
_STAGES = values.words(Stage) | {
    values.fold(name): stage
    for stage, names in {
        Stage.lead: ("New", "Prospecting"),
        Stage.qualified: (
            "Qualification",
            "Appointment scheduled",
            "appointmentscheduled",
            "Qualified to buy",
            "qualifiedtobuy",
        ),
        Stage.opportunity: (
            "Presentation scheduled",
            "presentationscheduled",
            "Decision maker bought-in",
            "decisionmakerboughtin",
            "Contract sent",
            "contractsent",
            "Needs Analysis",
            "Value Proposition",
            "Id. Decision Makers",
            "Perception Analysis",
            "Proposal/Price Quote",
            "Proposal",
            "Quote",
            "Negotiation/Review",
            "Negotiation",
            "Open",
        ),
        Stage.won: ("Closed Won", "closedwon"),
        Stage.lost: ("Closed Lost", "closedlost"),
    }.items()
    for name in names
}


class Deals(Headed):
    """The rows of a deals export."""

    kind = "deals"
    name = "deals"
    aliases = {  # noqa: RUF012 - a constant table
        "deal_id": ("record id", "opportunity id", "deal id", "id", "conversion id"),
        "name": ("deal name", "opportunity name"),
        "stage": ("deal stage", "opportunity stage", "goal"),
        "amount": ("deal amount", "value", "amount in company currency", "value minor"),
        "currency": ("deal currency", "amount currency", "opportunity currency", "currency code"),
        "margin": ("gross margin", "profit"),
        "company": ("associated company", "account name", "company name", "account", "customer"),
        "account_id": (
            "associated company ids primary",
            "associated company ids",
            "associated company id",
            "company id",
        ),
        "domain": ("company domain name", "website"),
        "person": ("associated contact", "contact name", "primary contact"),
        "person_id": ("associated contact ids", "contact id"),
        "phone": ("phone number", "contact phone", "telephone"),
        "email": ("e mail", "contact email"),
        "lead_at": ("lead date", "lead created"),
        "qualified_at": ("qualified date",),
        "opportunity_at": ("create date", "created date", "created", "opportunity date", "created at"),
        "closed_at": ("close date", "closed date", "closed on", "won at", "won on", "converted at", "closed"),
    }

    def __init__(self, table: Table, dialect: Dialect, region: str, told: Told | None = None) -> None:
        super().__init__(table, dialect, told)
        self._region = region
        self._stages = _STAGES | {
            values.fold(name): values.choice(stage, "stage", values.words(Stage))
            for name, stage in (told.stages if told else {}).items()
        }
        self._occurrences = Occurrences()
        folded = {values.fold(name) for name in self.columns.header}
        if "record id" in folded and "deal stage" in folded:
            self.name = "HubSpot deals"
        elif folded & {"opportunity id", "opportunity name"}:
            self.name = "Salesforce opportunities"
        self.columns.require("stage")
        self.columns.require("amount")
        self.columns.require("company", "account_id", "phone", "email", "person_id")

    def read(self, cells: Sequence[str]) -> DealRecord:
        """Read one deal."""

        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        currency = money.currency(cell("currency") or self.dialect.currency)
        stage = self._stage(cell("stage"))
        amount = values.amount(cell("amount"), "amount", currency, self.dialect)
        if amount is None and stage is Stage.won:
            raise Invalid("amount", "is empty, and the deal is won; write what it was worth, or 0")
        moments = {
            name: values.moment(cell(name), name, self.dialect, end_of_day=True).astimezone(UTC)
            for name in ("lead_at", "qualified_at", "opportunity_at", "closed_at")
            if cell(name)
        }
        if stage not in (Stage.won, Stage.lost):
            # Until then it is the day on which the seller hopes to close.
            moments.pop("closed_at", None)
        clues = self._clues(cells)
        name = values.text(cell("name"), "name", 1000) or ""
        deal_id = values.text(cell("deal_id"), "deal_id")
        begun = moments.get("lead_at") or moments.get("opportunity_at")
        return DealRecord(
            clues=clues,
            stage=stage,
            amount_minor=amount or 0,
            currency=currency,
            external_id=deal_id or self._occurrences.key(clues.company, clues.external_id, name, begun),
            name=name,
            margin_minor=values.amount(cell("margin"), "margin", currency, self.dialect),
            **moments,
        )

    def save(self, session: Session, records: Sequence[DealRecord], at: datetime) -> Sequence[Outcome]:
        """Add the deals, or bring them up to date."""

        def one(record: DealRecord) -> ImportOutcome:
            return deals.save(session, record, at=at)[1]

        return each(session, records, one)

    def _stage(self, text: str) -> Stage:
        # HubSpot appends the pipeline's name: "Closed Won (Sales Pipeline)".
        bare = text.partition("(")[0] if values.fold(text) not in self._stages else text
        return values.choice(bare, "stage", self._stages, f'--stage "{text}=opportunity"')

    def _clues(self, cells: Sequence[str]) -> Clues:
        def cell(name: str) -> str | None:
            # HubSpot lists several associations in one cell; the first is the primary one.
            return values.text(self.columns.cell(cells, name).partition(";")[0], name)

        number = cell("phone")
        return Clues(
            external_id=cell("account_id"),
            company=cell("company"),
            domain=_domain(cell("domain")),
            phone=phone.parse(number, self._region).e164 if number else None,
            email=cell("email"),
            person=cell("person"),
            person_id=cell("person_id"),
        )


def _domain(text: str | None) -> str | None:
    bare = (text or "").casefold().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return bare.partition("/")[0] or None
