"""What buyers answer: alone, and weighed against what was tracked."""

from datetime import timedelta

import pyarrow as pa
import pytest

from attribution import ANSWERS, JourneyError, attribute
from attribution.answers import Hybrid, SelfReported, estimate_truthful
from attribution.rules import Rule, linear
from tests.attribution.journey import START, path, tables


def answers(*rows):
    """Rows are (account, channel or None, days after the start); a channel of None was never asked."""
    return pa.Table.from_pylist(
        [
            {
                "answer_id": f"answer {i}",
                "account_id": account,
                "asked_at": START + timedelta(days=when),
                "outcome": "answered" if channel else "not_asked",
                "campaign": None,
                "channel": channel,
            }
            for i, (account, channel, when) in enumerate(rows)
        ],
        pa.schema([f for f in ANSWERS if f.name not in ("contact_id", "verbatim", "rep")]),
    )


def by_channel(paths, told, model, **options):
    touches, conversions = tables(*paths)
    table = attribute(touches, conversions, [model], answers=told, by="channel", **options)
    found = zip(table["channel"].to_pylist(), table["credit_minor"].to_pylist(), strict=True)
    return {channel: credit for channel, credit in found if credit}


def test_an_answer_takes_the_whole_deal_even_if_no_touch_confirms_it():
    told = answers(("Cobalt Mining", "colleague", 1))
    assert by_channel([path("search > call", account="Cobalt Mining")], told, "self-reported") == {
        "colleague": 10000
    }


def test_a_buyer_nobody_tracked_counts_once_he_answers():
    told = answers(("Cobalt Mining", "colleague", 0))
    assert by_channel([path("", account="Cobalt Mining")], told, "self-reported") == {"colleague": 10000}


def test_conversions_without_an_answer_follow_their_stratum():
    paths = [path("fair > call", account=name) for name in ("a", "b", "c")]
    paths += [path("fair > mail", account=name) for name in ("d", "e")]
    told = answers(("a", "fair", 1), ("b", "search", 1), ("d", "mail", 1), ("c", None, 1))
    # c ends with a call like a and b: half fair, half search. e ends with mail like d: all mail.
    assert by_channel(paths, told, "self-reported") == {"fair": 15000, "mail": 20000, "search": 15000}


def test_a_stratum_without_answers_takes_all_answers():
    paths = [path("call", account="a"), path("mail", account="b"), path("", account="c")]
    told = answers(("a", "fair", 1))
    assert by_channel(paths, told, "self-reported") == {"fair": 30000}


def test_the_last_answer_before_the_order_counts_else_the_first_after():
    order = path("call", account="a", converted=10)
    assert by_channel(
        [order], answers(("a", "fair", 1), ("a", "mail", 9), ("a", "search", 11)), "self-reported"
    ) == {"mail": 10000}
    assert by_channel([order], answers(("a", "fair", 12), ("a", "mail", 11)), "self-reported") == {
        "mail": 10000
    }


def test_nobody_answered_is_an_error_that_says_so():
    with pytest.raises(JourneyError, match="nobody answered"):
        by_channel([path("call", account="a")], answers(("a", None, 1)), "self-reported")


def test_models_that_need_answers_say_so():
    with pytest.raises(ValueError, match="pass answers="):
        by_channel([path("call", account="a")], None, "hybrid")


def test_hybrid_believes_a_confirmed_answer_as_far_as_it_is_truthful():
    told = answers(("a", "fair", 1))
    model = Hybrid(prior=Rule("linear", linear), truthful=0.8)
    assert by_channel([path("fair > call", account="a")], told, model) == {"call": 2000, "fair": 8000}
    # Three sources: 0.8 against 0.1 and 0.1.
    found = by_channel([path("fair > call > mail", account="a")], told, model)
    assert found == {"call": 1000, "fair": 8000, "mail": 1000}


def test_hybrid_gives_an_unconfirmed_answer_the_stated_half():
    told = answers(("a", "colleague", 1), ("b", "call", 1))
    paths = [path("fair > call", account="a"), path("call", account="b")]
    model = Hybrid(prior=Rule("linear", linear), truthful=0.8, untracked=0.5)
    assert by_channel(paths, told, model) == {"call": 12500, "colleague": 5000, "fair": 2500}


def test_hybrid_lends_silent_conversions_the_share_of_the_untracked():
    told = answers(("a", "colleague", 1), ("b", "call", 1))
    paths = [path(text, account=name) for name, text in (("a", "fair"), ("b", "call"), ("c", "mail"))]
    # One answer of two was unconfirmed, half of it believed: a quarter of c goes to the colleague.
    found = by_channel(paths, told, Hybrid(prior=Rule("linear", linear), truthful=0.8, untracked=0.5))
    assert found == {"call": 10000, "colleague": 7500, "fair": 5000, "mail": 7500}


def test_hybrid_credits_per_touch_add_up():
    touches, conversions = tables(path("fair > call", 9_99, account="a"), path("", 5, account="b"))
    told = answers(("a", "colleague", 1))
    table = attribute(touches, conversions, [Hybrid(untracked=0.3), "self-reported"], answers=told)
    sums = table.group_by(["model", "conversion_id"]).aggregate([("credit_minor", "sum"), ("weight", "sum")])
    assert sorted(sums["credit_minor_sum"].to_pylist()) == [5, 5, 999, 999]
    assert sums["weight_sum"].to_pylist() == pytest.approx([1.0] * 4, abs=1e-12)


def test_truthfulness_is_found_again_in_answers_that_follow_the_model():
    # With rho 0.8 the source of weight 0.9 is named by 0.8 x 0.9 + 0.2 x 0.1 = 0.74 of the buyers.
    found = estimate_truthful({(0.9, 2): 740, (0.1, 2): 260}, heads=1 + 1e-9, tails=1 + 1e-9)
    assert found == pytest.approx(0.8, abs=1e-6)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="strata"):
        SelfReported(strata="colour")
    with pytest.raises(ValueError, match="probability"):
        Hybrid(untracked=-0.1)
