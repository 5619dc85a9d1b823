"""Acme Pumps, the made-up supplier of the demo: what it advertises, and what its tracker saw."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracking.records.annotations import Event, Reading
from tracking.records.contacts import Clues
from tracking.storage.vocabulary import Direction, Medium

if TYPE_CHECKING:
    from simulator.market import World

WINDOW = timedelta(days=730)
"""How far back a demo goes."""
MAIN_NUMBER = "+46701740690"
"""Acme Pumps' own number, which stands on no ad material."""
_BRAND = "(brand search)"
OWN_SITE = (_BRAND, "(organic search)")
"""Sources of the simulator that lead to the supplier's own site."""
REPS = ("Rita", "Sven", "Olga")
"""Who answers the telephone."""


def _days(first: int, last: int, exposures: float) -> dict[str, float]:
    return {"from_day": first, "to_day": last, "exposures": exposures}


# A firm with a fifth of the scenario's companies: one salesperson, a quieter telephone, booked costs to its
# size, and fairs, mailings and evenings in all years.
MARKET: dict[str, object] = {
    "sales.people": 1,
    "desk.junk_per_day": 0.4,
    "desk.customer_calls_per_day": 2.5,
    "campaigns.search_ads.variable_minor": 1_600_000,
    "campaigns.directory.fixed_minor": 600_000,
    "campaigns.trade_fair.fixed_minor": 700_000,
    "campaigns.print_catalogue.fixed_minor": 200_000,
    "campaigns.email.variable_minor": 400_000,
    "campaigns.webinar.fixed_minor": 200_000,
    "campaigns.referral.fixed_minor": 100_000,
    "campaigns.trade_fair.flights": [
        _days(d, d + 3, 0.10) for d in (-665, -485, -300, -120, 65, 245, 430, 610)
    ],
    "campaigns.print_catalogue.flights": [_days(d, d + 120, 0.5) for d in (-685, -320, 45, 410)],
    "campaigns.webinar.flights": [_days(d, d + 1, 0.12) for d in range(-695, 730, 90)],
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a campaign of the scenario is called at Acme Pumps, and what carries its numbers."""

    name: str
    direction: Direction
    objective: str
    budget_minor: int
    pieces: tuple[tuple[str, str, Medium], ...]
    said: tuple[str, ...]
    numbered: bool = True
    """Whether its pieces carry a number; where not, the objective says why."""


PLANS = {
    "search_ads": Plan(
        "Search ads: process pumps",
        Direction.inbound,
        "Enquiries from companies that search for pumps",
        1_000_000,
        (("Landing page for process pumps", "landing page", Medium.online),),
        ("searched for process pumps on the web", "found you with a search engine"),
    ),
    "directory": Plan(
        "Industry directory",
        Direction.inbound,
        "Be found where buyers look up suppliers",
        600_000,
        (
            ("Premium entry", "directory entry", Medium.online),
            ("Printed directory", "directory", Medium.print),
        ),
        ("in the directory", "the trade directory, I think"),
    ),
    "trade_fair": Plan(
        "Gothenburg Pump Expo",
        Direction.outbound,
        "Meet buyers of capital equipment",
        800_000,
        (("Stand B12", "stand", Medium.fair), ("Show brochure", "brochure", Medium.fair)),
        ("met you at the Pump Expo", "your stand in Gothenburg"),
    ),
    "print_catalogue": Plan(
        "Product catalogue",
        Direction.outbound,
        "Stay on purchasing's desk",
        500_000,
        (
            ("Catalogue, first edition", "catalogue", Medium.print),
            ("Catalogue, new edition", "catalogue", Medium.print),
        ),
        ("your catalogue is on my desk", "the catalogue"),
    ),
    "email": Plan(
        "Service newsletter",
        Direction.outbound,
        "Repeat parts orders",
        300_000,
        (("Monthly newsletter", "newsletter", Medium.email),),
        ("your newsletter", "you sent me an email"),
    ),
    "display": Plan(
        "Trade press banners",
        Direction.outbound,
        "Brand awareness. Banners are clicked, not called: they carry no number",
        300_000,
        (("Banner in the trade press", "banner", Medium.online),),
        ("a banner",),
        numbered=False,
    ),
    "webinar": Plan(
        "Webinar: pumps that save energy",
        Direction.outbound,
        "Present the new series",
        200_000,
        (("Invitation", "landing page", Medium.online),),
        ("I attended your webinar",),
    ),
    "whatsapp": Plan(
        "Parts offers by message",
        Direction.outbound,
        "Parts orders",
        150_000,
        (("Offer by message", "message", Medium.online),),
        ("you sent me a message",),
    ),
    "website": Plan(
        "Website",
        Direction.inbound,
        "Be found by name and by product",
        1_500_000,
        (("Website header", "website", Medium.online),),
        ("on your website", "the internet"),
    ),
    "referral": Plan(
        "Customer referrals",
        Direction.inbound,
        "Customers refer customers. People pass on our name, not a number: only answers show it",
        250_000,
        (("Note to customers", "letter", Medium.print),),
        ("one of your customers recommended you",),
        numbered=False,
    ),
}
NEVER_RAN = "I saw you on television"
"""What is said by who names a campaign that never ran."""
WAGES = "Marketing department hours"
"""What the hours that are no campaign's are for."""


_SEASONS = (
    ("Summer holidays", 7, 8, "Plants shut down and companies order less."),
    ("Equipment budgets close", 10, 11, "Equipment planned for the year is ordered in autumn."),
    ("Year end", 12, 12, "Fewer parts are ordered."),
)
"""Months in which the simulated companies need less, or more, than in others: title, first, last, note."""
_RIVAL = ("Borealis Pumps cuts prices", timedelta(days=70), timedelta(days=27))
"""A competitor's campaign: title, how long before the end of the demo it begins, and how long it runs."""
_LEGAL = re.compile(r"\b(ab|ltd|gmbh|inc)\b")


def goods(amount_minor: int) -> str:
    """Name what was ordered for an amount."""
    if amount_minor > 4_000_000:
        return "Pump station"
    return "Custom pump" if amount_minor > 400_000 else "Spare parts"


class Seen:
    """What the simulated tracker saw within the window, with names and numbers for people."""

    def __init__(self, at: datetime, accounts: int, seed: int) -> None:
        market = _simulated(at, accounts, seed)

        def rows(name: str, moment: str) -> list[dict[str, Any]]:
            table = market[name].sort_by(moment).to_pylist()
            return [_sited(row) for row in table if at - WINDOW <= row[moment] <= at]

        self.touches = rows("touches", "occurred_at")
        self.calls = rows("calls", "started_at")
        self.answers = rows("answers", "asked_at")
        self.conversions = rows("conversions", "converted_at")
        self.costs = market["costs"].to_pylist()
        visits = market["visits"].to_pylist()
        self.visits = [_sited(row) for row in visits]
        self.accounts = {row["account_id"]: row for row in market["accounts"].to_pylist()}
        self.contacts = {row["contact_id"]: row for row in market["contacts"].to_pylist()}
        self.person_of = {
            row["touch_id"][1:]: row["contact_id"] for row in self.touches if row["kind"] == "call"
        }
        self.brand_searches = brand_searches([v for v in visits if v["campaign"] == _BRAND], *_days_of(at))
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


def domains(names: Sequence[str]) -> list[str]:
    """Return a domain for each company, all different, that can belong to nobody."""
    met: Counter[str] = Counter()
    found = []
    for name in names:
        plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
        word = "-".join(re.findall("[a-z0-9]+", _LEGAL.sub("", plain)))
        met[word] += 1
        found.append(f"{word}-{met[word]}.example" if met[word] > 1 else f"{word}.example")
    return found


def brand_searches(visits: Sequence[Mapping[str, Any]], first: date, last: date) -> list[Reading]:
    """Count the visits that came by a search for the name, for each whole month between two days."""
    counted: Counter[date] = Counter()
    for row in visits:
        counted[row["day"].replace(day=1)] += row["visits"]
    found = []
    month = month_after(first - timedelta(days=1))
    while (following := month_after(month)) <= last + timedelta(days=1):
        found.append(
            Reading(
                name="Brand searches",
                day=month,
                value=counted[month],
                unit="visits per month",
                source="Website visits from searches for our name",
            )
        )
        month = following
    return found


def events(at: datetime) -> list[Event]:
    """Say what happened beside the marketing, until a moment at which a demo ends."""
    first, last = _days_of(at)
    seasons = [
        Event(
            title=title,
            starts_on=date(year, begins, 1),
            ends_on=month_after(date(year, ends, 1)) - timedelta(days=1),
            note=note,
        )
        for year in range(first.year, last.year + 1)
        for title, begins, ends, note in _SEASONS
    ]
    title, before, lasted = _RIVAL
    rival = Event(
        title=title,
        starts_on=last - before,
        ends_on=last - before + lasted,
        note="Competitor's spare parts offer (not part of the simulation).",
    )
    return [event for event in (*seasons, rival) if first <= event.starts_on <= last]


def month_after(day: date) -> date:
    """Return the first day of the month that follows a day's."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _days_of(at: datetime) -> tuple[date, date]:
    """Return the first and the last whole day of a demo."""
    return (at - WINDOW).date() + timedelta(days=1), at.date() - timedelta(days=1)


def _sited(row: dict[str, Any]) -> dict[str, Any]:
    """Let what leads to the supplier's own site be a campaign, as its page of numbers is."""
    return row | {"campaign": "website", "channel": "website"} if row.get("campaign") in OWN_SITE else row


def _callers() -> Iterator[str]:
    # Kept for fiction by Ofcom, the Bundesnetzagentur and PTS; Acme's own stand below +46701740641.
    for last in range(1000):
        yield f"+493023125{last:03}"
        yield f"+442079460{last:03}"
    for last in range(641, 690):
        yield f"+46701740{last}"


def world(at: datetime, accounts: int, seed: int) -> "World":
    """Return the market of a demo that ends at a moment."""
    # The pages ask this package whether a demo is here; the simulator takes long to load.
    from simulator import scenario as scenarios
    from simulator.market import World

    start, _ = _days_of(at)
    return World(scenarios.load("supplier", MARKET | {"start": start}), accounts, WINDOW.days, seed)


def _simulated(at: datetime, accounts: int, seed: int) -> dict[str, pa.Table]:
    from simulator.runs import mapper
    from simulator.write import tables

    with mapper(1) as spread:
        return tables(world(at, accounts, seed), spread)
