"""Where a visit came from: tags, click ids and referrers by rule, and the campaigns that tags name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.cast import moment
from tests.imports import ON_SQLITE
from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import campaigns, referrers, sources
from tracking.records.sources import Sources, Trace, channel_of, trace
from tracking.storage.models import Campaign

NOW = moment("2026-06-01")
PAGE = "https://www.acme.example/pumps"


def add(session: Session, name: str, **tags: str) -> Campaign:
    return campaigns.add(session, name, "paid search", at=NOW, **tags)


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("https://www.google.se/search?q=pumps", "organic search"),
        ("google.co.uk", "organic search"),
        ("HTTPS://GOOGLE.COM.:443/", "organic search"),
        ("https://cn.bing.com/search", "organic search"),
        ("android-app://com.google.android.googlequicksearchbox/", "organic search"),
        ("https://de.linkedin.com/feed", "organic social"),
        ("https://t.co/abc", "organic social"),
        ("https://chatgpt.com/", "ai assistant"),
        ("https://gemini.google.com/app", "ai assistant"),
        ("https://x.com/i/grok", "ai assistant"),
        # A host is read label by label: none of these is the one it looks like.
        ("https://notgoogle.com/", "referring site"),
        ("https://google.com.evil.example/", "referring site"),
        ("https://google.com%2eevil.example/", "referring site"),
        ("https://google.com@evil.example/", "referring site"),
        ("https://evil.example/?u=https://www.google.com/", "referring site"),
        ("https://docs.google.com/", "referring site"),
        ("https://netflix.com/", "referring site"),
        ("https://пример.рф/", "referring site"),
        ("https://trade-journal.example/", "referring site"),
    ],
)
def test_a_referrer_is_known_by_its_host_label_by_label(referrer: str, channel: str) -> None:
    assert channel_of(trace(PAGE, referrer)) == (channel, "referrer")


def test_hosts_have_one_spelling() -> None:
    for text in ("HTTP://WWW.Пример.РФ:8080/x", "xn--e1afmkfd.xn--p1ai", "//пример.рф./"):
        assert referrers.host(referrers.address(text)) == "xn--e1afmkfd.xn--p1ai"


@pytest.mark.parametrize(
    ("query", "channel", "rule"),
    [
        ("utm_source=google&utm_medium=cpc", "paid search", "utm_medium"),
        ("UTM_Source=Google&UTM_Medium=%43PC", "paid search", "utm_medium"),
        ("utm_source=linkedin&utm_medium=cpc", "paid social", "utm_medium"),
        ("utm_source=facebook&utm_medium=paid_social", "paid social", "utm_medium"),
        ("utm_source=facebook&utm_medium=social", "organic social", "utm_medium"),
        ("utm_source=not-linkedin&utm_medium=cpc", "paid search", "utm_medium"),
        ("utm_source=hubspot&utm_medium=E-Mail", "email", "utm_medium"),
        ("utm_source=catalogue&utm_medium=qr", "print", "utm_medium"),
        ("utm_source=google", "organic search", "utm_source"),
        ("utm_source=partner&utm_medium=whatever", "other", "tags"),
        ("gclid=abc", "paid search", "gclid"),
        ("gbraid=abc", "paid search", "gbraid"),
        ("wbraid=abc", "paid search", "wbraid"),
        ("msclkid=abc", "paid search", "msclkid"),
        ("yclid=abc", "paid search", "yclid"),
        ("ttclid=abc", "paid social", "ttclid"),
        ("li_fat_id=abc", "paid social", "li_fat_id"),
        ("fbclid=abc", "organic social", "fbclid"),
        ("fbclid=abc&utm_source=fb&utm_medium=paid", "paid social", "utm_medium"),
        ("utm_source=&utm_medium=&gclid=", "referring site", "referrer"),
        ("utm_campaign={campaignid}", "referring site", "referrer"),
        ("x=notgclid", "referring site", "referrer"),
    ],
)
def test_tags_count_before_click_ids_and_both_before_the_referrer(
    query: str, channel: str, rule: str
) -> None:
    assert channel_of(trace(f"{PAGE}?{query}", "https://partner.example/")) == (channel, rule)


def test_no_referrer_is_direct_but_a_referrer_that_nobody_recorded_is_not() -> None:
    assert channel_of(trace(PAGE, "")) == ("direct", "direct")
    assert channel_of(trace(PAGE, None)) == (None, "none")
    assert channel_of(trace(PAGE, "https://shop.acme.example/")) == (None, "own site")
    assert not trace("", None)


def test_tags_are_read_however_they_are_encoded() -> None:
    seen = trace("https://acme.example/?utm_campaign=%2520Spring%2BSale%20&amp;utm_source=G%C3%B6teborg#top")
    assert (seen.utm_campaign, seen.utm_source, seen.landing_page) == (
        "Spring Sale",
        "Göteborg",
        "acme.example/",
    )
    assert trace("acme.example/#/a?utm_campaign=late").utm_campaign == "late"
    assert trace("/pumps?utm_campaign=x").landing_page == "/pumps"


def test_a_tag_twice_is_one_where_it_says_the_same_and_none_where_it_does_not(session: Session) -> None:
    pumps = add(session, "Pumps")
    found = Sources(session)
    assert found.of(trace(f"{PAGE}?utm_campaign=pumps&utm_campaign=PUMPS")).campaign is pumps
    twice = trace(f"{PAGE}?utm_campaign=pumps&utm_campaign=valves")
    assert (twice.contradicts, found.of(twice).campaign) == (("utm_campaign",), None)


@pytest.mark.parametrize("landing", ["http://[::1", "https://exa mple.com:port/", "http://%%%/"])
def test_a_landing_page_that_is_no_address_is_refused(landing: str) -> None:
    with pytest.raises(Invalid, match="landing_page: not a web address"):
        trace(landing)


def test_a_click_id_too_long_to_be_one_is_refused() -> None:
    with pytest.raises(Invalid, match="gclid: must be 500 characters or fewer"):
        trace(f"{PAGE}?gclid={'x' * 501}")
    assert trace(f"{PAGE}?gclid=a&gclid=b&fbclid=c").click_ids == {"gclid": "a", "fbclid": "c"}


@pytest.mark.parametrize(
    "written", ["pumps-2026", " Pumps-2026 ", "PUMPS-2026", "pumps%2D2026", "ｐｕｍｐｓ-2026"]
)
def test_a_campaign_is_known_by_its_tags_however_they_are_written(session: Session, written: str) -> None:
    pumps = add(session, "Pumps", utm_source="google", utm_medium="cpc", utm_campaign="pumps-2026")
    found = Sources(session).of(trace(told={"utm_campaign": written, "utm_source": "Google"}))
    assert (found.campaign, found.channel) == (pumps, "paid search")


def test_the_campaign_that_says_most_is_chosen_and_of_two_that_say_as_much_none(session: Session) -> None:
    wide = add(session, "All Google", utm_source="google", utm_medium="cpc")
    narrow = add(session, "Pumps", utm_source="google", utm_medium="cpc", utm_campaign="pumps")
    add(session, "Pumps Bing", utm_source="bing", utm_medium="cpc", utm_campaign="pumps")
    found = Sources(session)
    assert found.of(trace(f"{PAGE}?utm_source=google&utm_medium=cpc&utm_campaign=pumps")).campaign is narrow
    assert found.of(trace(f"{PAGE}?utm_source=google&utm_medium=cpc&utm_campaign=valves")).campaign is wide
    both = found.of(Trace(utm_campaign="pumps"))
    assert (both.campaign, both.candidates) == (None, ("Pumps", "Pumps Bing"))
    assert found.of(Trace(utm_source="yahoo", utm_medium="cpc", utm_campaign="pumps")).campaign is None


def test_a_rule_settles_what_is_ambiguous(session: Session) -> None:
    first, second = add(session, "North", utm_campaign="pumps"), add(session, "South", utm_campaign="pumps")
    assert Sources(session).of(Trace(utm_campaign="pumps")).candidates == ("North", "South")
    sources.add_rule(session, first, {"utm_campaign": " PUMPS "}, at=NOW)
    assert Sources(session).of(Trace(utm_campaign="pumps")).campaign is first
    sources.add_rule(session, second, {"utm_campaign": "pumps"}, at=NOW)
    assert Sources(session).of(Trace(utm_campaign="pumps")).campaign is second, "told last"
    with pytest.raises(Invalid, match="at least one"):
        sources.add_rule(session, first, {"utm_source": " "}, at=NOW)


@ON_SQLITE
def test_our_own_tag_names_a_campaign_by_its_number_or_name_and_no_invented_one(session: Session) -> None:
    pumps = add(session, "Pumps")
    found = Sources(session)
    for value in (str(pumps.id), "pumps"):
        assert found.of(trace(f"{PAGE}?rt={value}")).campaign is pumps
    assert found.of(trace(f"{PAGE}?rt=99999")).campaign is None


def test_channels_have_one_name() -> None:
    written = ("paid_search", "Paid Search", "ai_referral", "Trade fair", "recommendation")
    assert [channels.canonical(word) for word in written] == [
        "paid search",
        "paid search",
        "ai assistant",
        "fair",
        "referral",
    ]
    assert (channels.online("(none)"), channels.online("Search Engines")) == ("direct", "organic search")


@given(st.text(max_size=80))
def test_whatever_stands_in_a_tag_is_read(value: str) -> None:
    seen = trace(f"https://acme.example/?utm_campaign={value}")
    assert len(seen.utm_campaign or "") <= 200
    assert sources.fold(seen.utm_campaign) == sources.fold(sources.fold(seen.utm_campaign))


@given(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
def test_a_host_that_only_begins_like_a_known_one_is_not_it(label: str) -> None:
    found = referrers.site(f"https://google.com.{label}.example/")
    assert found is None
