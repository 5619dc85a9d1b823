"""Pools of numbers: shown in turn, never one to two, called late, and as large as the loss allows."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from simulator.erlang import erlang_b
from simulator.pool import NO_NUMBER, Pool
from simulator.sizing import steady
from tests.cast import ACME_DESK, BOREALIS, COBALT, SEARCH_NUMBER, STOCKHOLM, moment
from tracking.errors import Conflict, Invalid
from tracking.records import answers, campaigns, sites
from tracking.records.sources import Source, Sources, trace
from tracking.reporting import journeys
from tracking.storage import db
from tracking.storage.models import (
    Account,
    Answer,
    Call,
    CallHolder,
    Contact,
    Lease,
    Site,
    SiteHour,
    Touch,
    TrackingNumber,
    Visitor,
    WebVisit,
)
from tracking.storage.vocabulary import CallStatus, Certainty, Medium, Outcome, TouchKind
from tracking.telephony import bulk, calls, holders, numbers, pools, practice, ringing
from tracking.telephony.calls import CallEvent
from tracking.telephony.holders import ASSUMED

NOON = moment("2026-03-02 12:00")
MINUTE = timedelta(minutes=1)
HOME = "https://www.acme.example/"


def site_with(session: Session, size: int = 1, **more: Any) -> Site:
    """Acme's site, whose pool has so many numbers."""
    given: dict[str, Any] = {"origins": [HOME], "number": ACME_DESK, "consent": False} | more
    site = sites.add(session, "Shop", at=NOON, **given)
    for place in range(size):
        row = numbers.add(session, f"+467017406{10 + place}", at=NOON, provider="twilio")
        pools.put(session, site, row, at=NOON - timedelta(days=3650))
    return site


def visit(session: Session, site: Site, who: str, at: datetime, query: str = "") -> WebVisit:
    """A visitor comes to the home page by an address with this query."""
    known = Sources(session)
    seen = trace(f"{HOME}{query}", "")
    source: Source = known.of(seen)
    row, _ = sites.visit(
        session, sites.visitor(session, site, who, at=at), seen, source, at=at, arrives=seen.tagged
    )
    return row


def show(session: Session, site: Site, who: str, at: datetime, query: str = "") -> str | None:
    return pools.lease(session, site, visit(session, site, who, at, query), at=at).number


def ring(
    session: Session, number: str, at: datetime, caller: str = BOREALIS, call_id: str = "1"
) -> CallHolder:
    """Somebody calls a number of the pool; return what is written of it."""
    event = CallEvent(
        provider="twilio", provider_call_id=call_id, dialled=(number,), caller=caller, started_at=at,
        status=CallStatus.ringing,
    )  # fmt: skip
    [filed] = bulk.record(session, [event], region="SE").values()
    return session.scalars(select(CallHolder).where(CallHolder.call_id == filed.call_id)).one()


def test_a_visitor_keeps_his_number_and_two_never_have_one_at_once(session: Session) -> None:
    site = site_with(session, 2)
    first, second = show(session, site, "a", NOON), show(session, site, "b", NOON + MINUTE)
    assert {first, second} == {"+46701740610", "+46701740611"}
    assert show(session, site, "c", NOON + 2 * MINUTE) is None
    assert show(session, site, "a", NOON + 19 * MINUTE) == first
    # Held for twenty minutes after the last page: the second's is free, the first's is not.
    assert show(session, site, "c", NOON + 21 * MINUTE) == second
    assert show(session, site, "d", NOON + 21 * MINUTE) is None


def test_the_number_unused_longest_is_shown_next_and_who_returns_finds_his_own(session: Session) -> None:
    site = site_with(session, 3)
    shown = [show(session, site, name, NOON + n * 60 * MINUTE) for n, name in enumerate("abcda")]
    assert len(set(shown[:3])) == 3
    assert shown[3] == shown[0], "after three, the first comes round again"
    assert shown[4] == shown[1], "his own is another's by now, so the longest unused is his"
    assert show(session, site, "c", NOON + 600 * MINUTE) == shown[2]


def test_each_of_many_workers_gets_a_number_of_its_own(engine: Engine) -> None:
    with db.transaction(engine) as session:
        site_with(session, 8)

    def one(name: int) -> str | None:
        def work(session: Session) -> str | None:
            return show(session, session.scalars(select(Site)).one(), f"v{name}", NOON)

        return db.commit(engine, work)

    with ThreadPoolExecutor(4) as many:
        shown = [number for number in many.map(one, range(12)) if number]
    assert len(shown) == len(set(shown)) == 8


def test_a_call_is_the_holders_and_brings_his_visits_to_the_company_and_nobody_elses(
    session: Session,
) -> None:
    ads = campaigns.add(session, "Spring", "paid search", at=NOON, utm_campaign="spring")
    site = site_with(session, 2)
    visit(session, site, "a", NOON - timedelta(days=3), "?utm_source=news&utm_medium=email")
    number = show(session, site, "a", NOON, "?utm_source=google&utm_medium=cpc&utm_campaign=spring")
    show(session, site, "b", NOON, "?utm_source=bing&utm_medium=cpc")
    assert session.scalars(select(Touch)).all() == [], "a visitor is nobody yet"
    found = ring(session, number or "", NOON + 5 * MINUTE)
    assert (found.certainty, found.campaign_id, found.holders) == (Certainty.sure, ads.id, 1)
    assert found.runner_up is None
    touches = session.scalars(select(Touch).order_by(Touch.occurred_at)).all()
    told = [(row.kind, row.campaign_id, row.channel) for row in touches]
    assert told == [
        (TouchKind.visit, None, "email"),
        (TouchKind.visit, ads.id, None),
        (TouchKind.call, ads.id, None),
    ]
    assert len({row.contact_id for row in touches}) == 1
    visit(session, site, "a", NOON + timedelta(days=1))
    later = session.scalars(select(Touch).where(Touch.occurred_at == NOON + timedelta(days=1))).one()
    assert later.contact_id == touches[0].contact_id


def test_who_comes_after_a_forgotten_visitor_takes_over_nothing_of_his(session: Session) -> None:
    """Whatever numbers the database gives its rows: SQLite gives the last ones out again."""
    site = site_with(session, 3)
    first = show(session, site, "a", NOON)
    gone = show(session, site, "b", NOON)
    ring(session, gone or "", NOON + MINUTE, COBALT, "1")
    visitor = session.scalars(select(Visitor).where(Visitor.contact_id.is_not(None))).one()
    sites.forget(session, [visitor.id])
    session.flush()
    session.expunge_all()
    site = session.scalars(select(Site)).one()
    third = show(session, site, "c", NOON + 2 * MINUTE)
    assert third not in (None, first)
    assert show(session, site, "c", NOON + 3 * MINUTE) == third
    ring(session, third or "", NOON + 4 * MINUTE, BOREALIS, "2")
    visits = session.scalars(select(Touch).where(Touch.kind == TouchKind.visit)).all()
    assert len({row.contact_id for row in visits}) == 2, "each caller has his own visit"


def test_a_call_between_two_holders_weighs_both_and_names_the_runner_up(session: Session) -> None:
    """One saw the number two hours before the call, the other one hour: 0.7 and 0.3, but for strangers."""
    site = site_with(session, 1)
    number = show(session, site, "a", NOON, "?utm_source=news&utm_medium=email") or ""
    show(session, site, "b", NOON + 60 * MINUTE, "?utm_source=google&utm_medium=cpc")
    found = ring(session, number, NOON + 120 * MINUTE)
    near, far = ASSUMED.density(3600), ASSUMED.density(7200)
    whole = near + far + ASSUMED.stray_odds
    assert (found.certainty, found.channel, found.runner_up_channel) == (
        Certainty.likely,
        "paid search",
        "email",
    )
    assert found.likelihood == pytest.approx(near / whole)
    assert found.runner_up == pytest.approx(far / whole)
    visits = select(Touch).where(Touch.kind == TouchKind.visit)
    assert session.scalars(visits).all() == [], "likely is not enough to say who he is"
    touch = session.scalars(select(Touch).where(Touch.kind == TouchKind.call)).one()
    assert touch.channel == "paid search"


def test_holders_of_one_source_count_together(session: Session) -> None:
    site = site_with(session, 1)
    for name, at in (("a", NOON), ("b", NOON + 60 * MINUTE)):
        number = show(session, site, name, at, "?utm_source=google&utm_medium=cpc") or ""
    found = ring(session, number, NOON + 120 * MINUTE)
    assert found.certainty is Certainty.sure
    assert found.visitor_likelihood < holders.SURE
    assert session.scalars(select(Touch).where(Touch.kind == TouchKind.visit)).all() == []


def test_a_late_call_is_unknown_and_one_out_of_reach_says_where_the_number_was_shown(
    session: Session,
) -> None:
    site = site_with(session, 1)
    number = show(session, site, "a", NOON, "?utm_source=google&utm_medium=cpc") or ""
    late = ring(session, number, NOON + timedelta(days=10))
    assert (late.certainty, late.holders) == (Certainty.unknown, 1)
    gone = ring(session, number, NOON + timedelta(days=40), COBALT, "2")
    assert (gone.certainty, gone.holders, gone.last_page) == (Certainty.nobody, 0, "acme.example/")
    assert gone.last_shown_at == NOON
    for touch in session.scalars(select(Touch)):
        assert (touch.campaign_id, touch.channel) == (None, None)


def test_a_later_report_changes_nothing_of_who_called(session: Session) -> None:
    site = site_with(session, 1)
    number = show(session, site, "a", NOON, "?utm_source=google&utm_medium=cpc") or ""
    before = ring(session, number, NOON + MINUTE).likelihood
    sites.forget(session, session.scalars(select(Visitor.id)).all())
    session.expire_all()
    over = CallEvent(
        provider="twilio", provider_call_id="1", dialled=(number,), caller=BOREALIS,
        started_at=NOON + MINUTE, status=CallStatus.completed, talk_s=60,
    )  # fmt: skip
    [told] = calls.record(session, [over], region="SE")
    row = session.scalars(select(CallHolder)).one()
    assert (row.likelihood, row.certainty, row.visitor_id) == (before, Certainty.sure, None)
    assert told.call.touch.channel == "paid search"
    assert session.scalar(select(Lease)) is session.scalar(select(WebVisit)) is None


def test_a_practice_call_is_weighed_like_any_counts_nowhere_and_leaves_nothing(session: Session) -> None:
    site = site_with(session, 1)
    number = show(session, site, "a", NOON, "?utm_source=news&utm_medium=email") or ""
    for own, why in ((number, "is a tracking number"), (site.number, "is your main number")):
        with pytest.raises(Invalid, match=f"caller: .*{why}"):
            practice.ring(session, number, own, at=NOON + MINUTE, region="SE")
    made = practice.ring(session, number, BOREALIS, at=NOON + MINUTE, region="SE")
    found = session.scalars(select(CallHolder)).one()
    assert (found.certainty, found.channel, found.call) == (Certainty.sure, "email", made)
    touches = session.scalars(select(Touch).order_by(Touch.occurred_at)).all()
    assert [(row.kind, row.contact) for row in touches] == [
        (TouchKind.visit, made.contact),
        (TouchKind.call, made.contact),
    ]
    answers.log(session, Outcome.answered, asked_at=NOON, call=made, channel="fair")
    answers.log(session, Outcome.answered, asked_at=NOON, call=made, channel="print")
    assert [one.id for one in practice.of_company(session, made.contact.account)] == [made.id]
    tables = journeys.export(session, currency="EUR", zone=STOCKHOLM)
    assert tables.touches["kind"].to_pylist() == ["visit"], "the visit is his, the call nobody's"
    assert [tables.calls.num_rows, tables.answers.num_rows, tables.conversions.num_rows] == [0, 0, 0]
    assert session.scalars(calls.unlogged(since=NOON)).all() == ringing.untaken(session, at=NOON) == []
    with pytest.raises(Conflict, match="never counts"):
        calls.judge(session, made, spam=False)
    practice.remove(session, made)
    left = (Call, CallHolder, Answer, Touch, Contact, Account)
    assert [session.scalar(select(func.count()).select_from(kind)) for kind in left] == [0] * 6
    assert session.scalars(select(Visitor.contact_id)).all() == [None]


def test_practice_takes_a_pool_s_number_and_no_customer_s(session: Session) -> None:
    site = site_with(session, 1)
    number = show(session, site, "a", NOON) or ""

    def trial(dialled: str = number, caller: str = COBALT) -> Call:
        return practice.ring(session, dialled, caller, at=NOON + MINUTE, region="SE")

    with pytest.raises(Invalid, match="in no website's pool"):
        trial(ACME_DESK)
    with pytest.raises(Invalid, match="caller"):
        trial(caller="")
    first, second = trial(), trial()
    assert first.contact is second.contact, "as often as he likes"
    real = ring(session, number, NOON + 2 * MINUTE).call
    with pytest.raises(Conflict, match="no customer"):
        trial(caller=BOREALIS)
    with pytest.raises(Invalid, match="not a practice call"):
        practice.remove(session, real)
    practice.remove(session, first)
    assert session.scalars(select(Visitor.contact_id)).all() == [second.contact_id], "the second holds him"


def test_a_number_of_a_pool_is_on_no_asset_and_one_on_an_asset_in_no_pool(session: Session) -> None:
    site = site_with(session, 1)
    spring = campaigns.add(session, "Spring", "print", at=NOON)
    piece = campaigns.add_material(session, spring, "Flyer", medium=Medium.print, at=NOON)
    pooled = session.scalars(select(TrackingNumber)).one()
    with pytest.raises(Conflict, match="pool"):
        numbers.assign(session, pooled, piece, starts_at=NOON)
    assert numbers.standing(pooled, [], NOON).life == "pool"
    with pytest.raises(Conflict, match="no tracking number is available"):
        numbers.assign_next_free(session, piece, at=NOON)
    printed = numbers.add(session, SEARCH_NUMBER, at=NOON, provider="twilio")
    numbers.assign(session, printed, piece, starts_at=NOON)
    with pytest.raises(Conflict, match="Flyer"):
        pools.put(session, site, printed, at=NOON)
    with pytest.raises(Conflict, match="already in a pool"):
        pools.put(session, site, pooled, at=NOON)
    show(session, site, "a", NOON)
    pools.remove(session, pooled, at=NOON + MINUTE)
    with pytest.raises(Conflict, match="2026-05-01"):
        numbers.assign(session, pooled, piece, starts_at=NOON + timedelta(days=30))
    numbers.assign(session, pooled, piece, starts_at=NOON + timedelta(days=61))


def test_the_curve_is_a_density_and_what_is_missing_to_one_is_somebody_else() -> None:
    moments = np.exp(np.linspace(math.log(1e-3), math.log(1e12), 200_000))
    area = np.trapezoid([ASSUMED.density(at) for at in moments[moments > 1]], moments[moments > 1]) / 86_400
    assert area == pytest.approx(1.0, abs=0.02)
    chances = ASSUMED.likelihoods([60.0, 3600.0])
    assert sum(chances) < 1
    assert ASSUMED.likelihoods([]) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_fitted_curve_finds_the_delay_that_made_the_calls(seed: int) -> None:
    """Each call has its true holder and three strangers, who saw the number at any time of a week.

    So a number is shown three times in seven days: 1,600 leases take 3,733 days of one number.
    """
    draw = np.random.default_rng(seed)
    own = (3600.0 * np.exp(draw.standard_normal(400))).tolist()
    others = draw.uniform(0, 7 * 86_400, (400, 3)).tolist()
    mixed = [[mine, *rest] for mine, rest in zip(own, others, strict=True)]
    found = holders.fitted_to(mixed, 1600, 1600 * 7 / 3)
    assert found is not None
    # Four standard errors of a mean of 400, and twice that for the holders who are mistaken.
    assert math.log(found.median_s / 3600) == pytest.approx(0, abs=0.4)
    assert found.spread == pytest.approx(1.0, abs=0.2)
    strangers_only = draw.uniform(0, 30 * 86_400, (400, 1)).tolist()
    assert holders.fitted_to(strangers_only, 100_000, 100.0) is None


def test_a_site_fits_its_curve_once_it_has_calls_enough(session: Session) -> None:
    site = site_with(session, 1)
    for day in range(holders.ENOUGH):
        at = NOON + timedelta(days=day)
        number = show(session, site, f"v{day}", at) or ""
        if day == holders.ENOUGH - 1:
            assert not holders.fit(session, site, at=at)
        ring(session, number, at + 10 * MINUTE, caller=BOREALIS, call_id=str(day))
    assert holders.fit(session, site, at=NOON + timedelta(days=60))
    assert site.fitted_calls == holders.ENOUGH
    assert holders.curve_of(site).median_s == pytest.approx(600, rel=0.1)


def test_the_loss_of_a_pool_is_that_of_the_simulator(session: Session) -> None:
    """Fifty visitors an hour, each holding a number for 20 minutes: 16.7 numbers in use at once."""
    site = site_with(session, 20, number_cost_minor=100)
    hour = {"leased": 45, "overflow": 5, "views": 100, "swapped": 100}
    sites.count(session, site.id, NOON, hour)
    found = pools.health(session, site, at=NOON + timedelta(hours=1))
    assert (found.numbers, found.busiest, found.lost, found.asked) == (20, 50, 5, 50)
    assert found.load == pytest.approx(50 * 20 / 60)
    assert [(loss, size.numbers, size.cost_minor) for loss, size in found.wanted] == [
        (0.01, 26, 2600),
        (0.05, 22, 2200),
    ]
    assert found.now is not None
    arrivals = steady(7, "pool", 50 / 60, 200_000)
    lost = np.mean(Pool(20, 20.0).show(arrivals) == NO_NUMBER)
    # Twenty thousand losses: their share is known to a hundredth of itself, times three for bursts.
    assert lost == pytest.approx(found.now.loss, rel=0.05)
    assert found.is_short is (found.now.loss > 0.05)


def test_a_site_s_own_visitors_replayed_lose_what_the_simulator_s_pool_loses_them(session: Session) -> None:
    """Ten an hour for a week, and forty at once by a newsletter: the formula sees fifty in an hour."""
    site = site_with(session, 60)
    steady_ones = steady(11, "pool", 10 / 60, 10 * 24 * 7)
    arrivals = np.sort(np.concatenate((steady_ones, steady_ones[800] + np.linspace(0.01, 0.4, 40))))
    pool = [row.tracking_number_id for row in pools.numbers_of(session, site)]
    leased(session, site, arrivals, [pool[number] for number in Pool(60, 20.0).show(arrivals)])
    end = NOON + timedelta(minutes=float(arrivals[-1]))
    sites.count(session, site.id, NOON, {"leased": 50})
    assert pools.health(session, site, at=end).replay is None, "nobody has asked"
    found = pools.health(session, site, at=end, replays=True)
    assert found.replay is not None
    assert found.replay.visitors == len(arrivals)
    assert found.replay.now is not None
    assert found.replay.now.loss == 0.0
    for loss, size in found.replay.wanted:
        lost = [
            np.mean(Pool(count, 20.0).show(arrivals) == NO_NUMBER)
            for count in (size.numbers, size.numbers - 1)
        ]
        assert size.loss == lost[0] <= loss < lost[1]
    by_hours = [size.numbers for _, size in found.replay.wanted]
    assert by_hours != [size.numbers for _, size in found.wanted]
    early = pools.health(session, site, at=NOON + timedelta(days=2), replays=True)
    assert early.replay is None


def leased(session: Session, site: Site, minutes: Any, numbers: list[int]) -> None:
    """Visitors who were each shown one of these numbers once."""
    visit_id = visit(session, site, "all", NOON).id
    for at, number in zip(minutes, numbers, strict=True):
        moment = NOON + timedelta(minutes=float(at))
        session.add(Lease(tracking_number_id=number, visit_id=visit_id, starts_at=moment, seen_at=moment))
    session.flush()


def test_whoever_holds_a_number_counts_once_and_whoever_got_none_too(session: Session) -> None:
    """One comes twice within his twenty minutes, one after them; two more find no number in that hour."""
    site = site_with(session, 1)
    [number] = pools.numbers_of(session, site)
    leased(session, site, [3, 10, 60], [number.tracking_number_id] * 3)
    sites.count(session, site.id, NOON, {"leased": 2, "overflow": 2})
    pools.remove(session, number.tracking_number, at=NOON + 60 * MINUTE)
    hours = session.scalars(select(SiteHour)).all()
    starts, lengths = pools.arrivals(session, site, hours, since=NOON, until=NOON + 60 * MINUTE, minutes=25.0)
    began = ((starts - NOON.timestamp()) / 60).tolist()
    assert {3.0, 60.0} < set(began), "also where the number has left the pool since"
    assert all(0 <= at <= 60 for at in began)
    assert sorted(lengths / 60) == [20.0, 25.0, 25.0, 27.0]


def test_a_site_is_silent_once_chance_no_longer_explains_it(session: Session) -> None:
    """Ten swaps every hour for three weeks: one hour without any has a chance of exp(-10)."""
    site = site_with(session, 1)
    for hour in range(21 * 24):
        sites.count(session, site.id, NOON + timedelta(hours=hour), {"swapped": 10})
    end = NOON + timedelta(hours=21 * 24)
    assert pools.health(session, site, at=end).silent_since is None
    assert pools.health(session, site, at=end + timedelta(hours=1)).silent_since == end
    assert session.scalars(select(SiteHour.swapped)).all() == [10] * 21 * 24
    sites.count(session, site.id, NOON, {"swapped": 1})
    assert session.scalars(select(SiteHour.swapped).order_by(SiteHour.hour)).first() == 11


def test_without_consent_or_a_pool_a_source_has_its_asset_s_number(session: Session) -> None:
    ads = campaigns.add(session, "Spring", "paid search", at=NOON)
    piece = campaigns.add_material(session, ads, "Landing page", medium=Medium.online, at=NOON)
    assert pools.static_number(session, ads.id) is None
    row = numbers.add(session, SEARCH_NUMBER, at=NOON, provider="twilio")
    numbers.assign(session, row, piece, starts_at=NOON)
    assert pools.static_number(session, ads.id) == SEARCH_NUMBER


MEDIA = (
    ("cpc", "paid search"),
    ("email", "email"),
    ("social", "organic social"),
    ("organic", "organic search"),
)
"""Media of tags, and the channels that they tell."""


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_two_hundred_callers_are_taken_for_themselves_as_often_as_the_likelihood_says(
    session: Session, engine: Engine
) -> None:
    """Twenty visitors an hour on five numbers, each of whom calls after a delay of the assumed curve.

    They come from four channels in turn.
    """
    site = site_with(session, 5)
    draw = np.random.default_rng(3)
    comes = np.cumsum(draw.exponential(3.0, 200))
    delays = ASSUMED.median_s / 60 * np.exp(ASSUMED.spread * draw.standard_normal(200))
    happens = [(at, 0, name) for name, at in enumerate(comes)]
    happens += [(at + delay, 1, name) for name, (at, delay) in enumerate(zip(comes, delays, strict=True))]
    shown: dict[int, str | None] = {}
    told: list[tuple[float, bool]] = []
    of_source: list[tuple[float, bool]] = []
    outcomes: Counter[tuple[Certainty, bool]] = Counter()
    lost = 0
    for minutes, calls_now, name in sorted(happens):
        at = NOON + timedelta(minutes=float(minutes))
        if not calls_now:
            shown[name] = show(session, site, f"v{name}", at, f"?utm_medium={MEDIA[name % 4][0]}")
            lost += shown[name] is None
        elif (number := shown[name]) is not None and minutes < comes[-1]:
            found = ring(session, number, at, f"+44207946{name:04d}", f"call {name}")
            who = session.scalar(select(Visitor.id).where(Visitor.token_hash == sites.token_hash(f"v{name}")))
            told.append((found.visitor_likelihood, found.visitor_id == who))
            is_right = found.channel == MEDIA[name % 4][1]
            of_source.append((found.likelihood, is_right))
            outcomes[found.certainty, is_right] += 1
    assert len(told) > 60
    for judged in (of_source, told):
        likelihoods, right = np.array(judged).T
        # As many are right as the likelihoods add up to, within three standard errors of that sum.
        error = math.sqrt(sum(chance * (1 - chance) for chance in likelihoods)) / len(told)
        assert right.mean() == pytest.approx(likelihoods.mean(), abs=3 * error)
    sure = likelihoods >= holders.SURE
    assert right[sure].mean() >= holders.SURE, "who is called certain mostly is"
    # Five numbers, of which 6.7 are asked for at once; the losses of one hour are not independent.
    assert lost / 200 == pytest.approx(erlang_b(5, 20 / 3), abs=0.1)
    # As docs/pools.md has it.
    assert (len(told), lost) == (114, 66)
    assert outcomes == {
        (Certainty.sure, True): 45,
        (Certainty.sure, False): 2,
        (Certainty.likely, True): 44,
        (Certainty.likely, False): 15,
        (Certainty.unknown, True): 3,
        (Certainty.unknown, False): 5,
    }
