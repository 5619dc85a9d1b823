"""Campaigns and ad material: a name is an identity, and what cannot be is refused before it is written."""

import unicodedata
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from attribution import counts
from attribution.answers import UNTRACKED
from attribution.journeys import UNATTRIBUTED
from reports import roi
from tests.cast import moment
from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import campaigns
from tracking.storage.models import Campaign
from tracking.storage.names import RESERVED
from tracking.storage.vocabulary import Direction, Medium

NOW = moment("2026-01-01")


def fair(session: Session, name: str = "Fair 2026", **details: Any) -> Campaign:
    return campaigns.add(session, name, details.pop("channel", "fair"), at=NOW, **details)


def test_a_campaign_is_added_changed_and_found_by_its_name(session: Session) -> None:
    added = fair(session, budget_minor=2_575_000, currency="EUR", direction=Direction.outbound)
    assert campaigns.get(session, "Fair 2026") is added
    campaigns.change(session, added, name="Hannover 2026", channel="Trade shows")
    assert campaigns.get(session, "Hannover 2026") is added
    assert (added.channel, added.direction, added.budget_minor) == ("fair", "outbound", 2_575_000)
    with pytest.raises(NotFound, match="campaign 'Fair 2026' not found; run `ringtrail campaign list`"):
        campaigns.get(session, "Fair 2026")


@pytest.mark.parametrize("typed", ["  Mässa  2026 ", "Mässa\u00a02026", "Mässa\t2026", "Mässa 2026\x00"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_the_same_however_its_blanks_and_accents_are_coded(
    session: Session, typed: str, form: str
) -> None:
    added = fair(session, "Mässa 2026")
    piece = campaigns.add_material(session, added, "Mässa 2026", at=NOW, medium=Medium.fair)
    typed = unicodedata.normalize(form, typed)  # type: ignore[arg-type]  # one of the two literals
    assert campaigns.named(session, [typed, "Catalogue"]) == {typed: added}
    assert campaigns.get(session, typed) is added
    assert campaigns.material(session, typed, typed) is piece
    with pytest.raises(Conflict, match="a campaign named 'Mässa 2026' already exists"):
        fair(session, typed)
    with pytest.raises(Conflict, match="already has an asset named 'Mässa 2026'"):
        campaigns.add_material(session, added, typed, at=NOW, medium=Medium.print)


def test_no_source_is_called_like_a_line_of_the_tables() -> None:
    assert {UNATTRIBUTED, UNTRACKED, counts.UNKNOWN, roi.UNKNOWN, roi.OVERHEAD, roi.TOTAL} <= RESERVED


def test_ad_material_is_named_within_its_campaign(session: Session) -> None:
    for name in ("Fair 2026", "Fair 2027"):
        campaigns.add_material(session, fair(session, name), "Stand", at=NOW, medium=Medium.fair)
    assert campaigns.material(session, "Fair 2027", "Stand").campaign.name == "Fair 2027"
    with pytest.raises(NotFound, match="campaign 'Fair 2026' has no asset named 'Leaflet'"):
        campaigns.material(session, "Fair 2026", "Leaflet")


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"name": " "}, "name: enter a name"),
        ({"name": "x" * 201}, "name: must be 200 characters or fewer"),
        ({"channel": ""}, "channel: enter a name"),
        ({"name": "(Unattributed)"}, r"name: \(Unattributed\) is a line of the reports; choose another"),
        ({"channel": "(unattributed)"}, "channel: .* is a line of the reports"),
        ({"channel": "x" * 201}, "channel: must be 200 characters or fewer"),
        (
            {"starts_on": date(2026, 3, 2), "ends_on": date(2026, 3, 1)},
            "ends_on: the last day, 2026-03-01, is before the first day, 2026-03-02",
        ),
        ({"budget_minor": -1, "currency": "EUR"}, "budget_minor: must be 0 or more"),
        ({"budget_minor": 1}, "currency: choose a currency"),
        ({"currency": "EURO"}, "currency: 'EURO' is not a currency code"),
        ({"currency": "eur"}, "currency: 'eur' must be in capitals: EUR"),
    ],
)
def test_what_cannot_be_said_of_a_campaign_is_refused_and_nothing_of_it_written(
    session: Session, details: dict[str, Any], reason: str
) -> None:
    standing = fair(session, "Standing", starts_on=date(2026, 1, 1))
    with pytest.raises(Invalid, match=reason):
        campaigns.add(session, at=NOW, **{"name": "New", "channel": "fair"} | details)
    with pytest.raises(Invalid, match=reason):
        campaigns.change(session, standing, objective="more", **details)
    session.flush()
    session.expire_all()
    assert (standing.name, standing.channel, standing.objective) == ("Standing", "fair", "")
    assert (standing.starts_on, standing.ends_on, standing.currency) == (date(2026, 1, 1), None, None)


def test_a_campaign_may_keep_its_name_but_take_no_others(session: Session) -> None:
    first, second = fair(session, "Fair 2026"), fair(session, "Fair 2027")
    assert campaigns.change(session, second, name=" Fair  2027 ") is second
    with pytest.raises(Conflict, match="a campaign named 'Fair 2026' already exists"):
        campaigns.change(session, second, name="Fair 2026")
    assert first.name != second.name


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"print_run": 0}, "print_run: must be 1 or more, not 0"),
        (
            {"issued_on": date(2026, 3, 2), "expires_on": date(2026, 3, 1)},
            "expires_on: the last day, 2026-03-01, is before",
        ),
        ({"name": "\u200a"}, "name: enter a name"),
    ],
)
def test_what_cannot_be_said_of_ad_material_is_refused(
    session: Session, details: dict[str, Any], reason: str
) -> None:
    owner = fair(session)
    with pytest.raises(Invalid, match=reason):
        campaigns.add_material(session, owner, at=NOW, medium=Medium.print, **{"name": "Leaflet"} | details)
    assert owner.materials == []


def test_ad_material_names_its_campaign_and_contradicts_no_other(session: Session) -> None:
    first, second = fair(session, "Fair 2026"), fair(session, "Fair 2027")
    stand = campaigns.add_material(session, first, "Stand", at=NOW, medium=Medium.fair)
    assert campaigns.of_campaign(None, None) is None
    assert campaigns.of_campaign(second, None) is second
    assert campaigns.of_campaign(None, stand) is campaigns.of_campaign(first, stand) is first
    with pytest.raises(Invalid, match="ad_material: 'Stand' does not belong to campaign 'Fair 2027'"):
        campaigns.of_campaign(second, stand)


@pytest.mark.parametrize(
    ("written", "channel"),
    [
        ("Mässa", "fair"),
        ("Trade  SHOW", "fair"),
        ("выставки", "fair"),
        ("展会", "fair"),
        ("Suchmaschine", "search"),
        ("Google", "search"),
        ("Google Ads", "Google Ads"),
        ("Organic search", "organic search"),
        ("LinkedIn", "LinkedIn"),
        ("Nyhetsbrev", "email"),
        ("e-mail", "email"),
        ("fairly new", "fairly new"),
    ],
)
def test_a_channel_goes_by_any_of_its_names_and_what_is_finer_is_a_channel_of_its_own(
    session: Session, written: str, channel: str
) -> None:
    assert fair(session, channel=written).channel == channel


@pytest.mark.parametrize(
    ("channel", "kind", "medium"),
    [
        ("fair", "other", Medium.fair),
        ("search", "", Medium.online),
        ("LinkedIn", "", Medium.online),
        ("Riddles", "", Medium.other),
        ("fair", "Trade show catalogue", Medium.print),
        ("print", "Fair stand", Medium.fair),
        ("print", "Stand 12 m²", Medium.fair),
        ("print", "Mässmonter", Medium.fair),
        ("email", "Flyers", Medium.print),
        ("fair", "展会名片", Medium.print),
        ("print", "standard", Medium.print),
        ("fair", "roadmap", Medium.fair),
        ("print", "Landing page", Medium.online),
        ("social", "LinkedIn ad", Medium.online),
        ("print", "Advertisement", Medium.print),
        ("direct mail", "Mailing", Medium.print),
        ("print", "Catalogue page", Medium.print),
    ],
)
def test_what_carries_material_follows_from_its_kind_else_from_the_channel(
    session: Session, channel: str, kind: str, medium: Medium
) -> None:
    owner = fair(session, channel=channel)
    assert campaigns.add_material(session, owner, "Piece", kind=kind, at=NOW).medium is medium
