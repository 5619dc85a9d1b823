"""Self-reported attribution: what buyers answer when asked, alone or weighed against the tracked touches.

Every conversion is in one of three states: answered, asked in vain, or never asked. Nobody who was not
asked is taken for a silent "no": such conversions are shared like the answered ones of their stratum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import pyarrow as pa

from attribution.journeys import JourneyError
from attribution.rules import Model

if TYPE_CHECKING:
    from attribution.paths import Journeys

UNTRACKED = "(untracked)"
"""The stratum of conversions that no touch precedes."""

Reported = tuple[str | None, str | None]  # campaign, channel


@dataclass(frozen=True, kw_only=True)
class SelfReported(Model):
    """Each answered conversion to its answer; the others like the answered ones of their stratum.

    The answer of a conversion is the account's last one at or before it, otherwise its first one after.

    Parameters
    ----------
    strata : {"last channel", "none"}, default "last channel"
        What makes conversions comparable: the channel of the last tracked touch before them, or nothing.
        A stratum without an answer takes the answers of all.

    Notes
    -----
    Assumes that within a stratum those who answered are like those who did not, and that people remember.
    They name what impressed them last, and rarely an advertisement in print: the figures lean to fairs,
    colleagues and search. Asking only difficult or friendly customers breaks the first assumption.

    Examples
    --------
    >>> SelfReported().name
    'self-reported'
    """

    strata: Literal["last channel", "none"] = "last channel"

    def __post_init__(self) -> None:
        if self.strata not in ("last channel", "none"):
            raise ValueError(f"strata is {self.strata!r}; use 'last channel' or 'none'")

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "self-reported"

    def fit(self, journeys: Journeys) -> Reporting:
        """Count the answers of each stratum in the engine."""
        counts = count_answers(journeys, self.strata)
        pooled = pool(counts)
        if not pooled:
            raise JourneyError(
                "nobody answered, so there is nothing to report",
                "ask callers where they heard of you, or use a rule model",
                table="answers",
            )
        shares = {stratum: answered or pooled for stratum, answered in counts.items()}
        return Reporting(label=self.label, called=self.name, strata=self.strata, shares=shares, pooled=pooled)


@dataclass(frozen=True, kw_only=True)
class Reporting(Model):
    """Fitted answers: how a part of each conversion's value is shared over reported sources.

    Parameters
    ----------
    called : str
        Name of the model that was fitted.
    strata : {"last channel", "none"}
        How conversions are told apart.
    shares : mapping
        Answers per stratum and source.
    pooled : mapping
        Answers of all strata together.
    """

    called: str
    strata: str
    shares: Mapping[str, Mapping[Reported, int]]
    pooled: Mapping[Reported, int]

    @property
    def name(self) -> str:
        """Name of the model that was fitted."""
        return self.called

    def rows(self, journeys: Journeys) -> nw.LazyFrame[Any]:
        """Give each conversion's sources: what share of it, and where in it, belongs to them."""
        told = with_answers(journeys, self.strata).with_columns(offset=nw.lit(0.0))
        shares = {"": self.pooled, **self.shares}
        named = told.filter(nw.col("answered") == 1)
        others = told.filter(nw.col("answered") == 0)
        return nw.concat([by_answer(named), by_stratum(others, journeys, shares)], how="vertical")


ROW = ("conversion_id", "campaign", "channel", "from", "to", "of", "offset")


def by_answer(told: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Give all of the reported part to the answer."""
    return told.select(
        "conversion_id",
        nw.col("answer_campaign").alias("campaign"),
        nw.col("answer_channel").alias("channel"),
        nw.lit(0.0).alias("from"),
        nw.lit(1.0).alias("to"),
        nw.lit(1.0).alias("of"),
        "offset",
    )


def by_stratum(
    told: nw.LazyFrame[Any], journeys: Journeys, shares: Mapping[str, Mapping[Reported, int]]
) -> nw.LazyFrame[Any]:
    """Share the reported part like the answers of the stratum."""
    table = journeys.load("shares", share_table(shares))
    return told.join(table, on="stratum", how="inner").select(*ROW)


def share_table(shares: Mapping[str, Mapping[Reported, int]]) -> pa.Table:
    """Give one row per stratum and source with its interval of the cumulative share."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("stratum", "campaign", "channel", "from", "to", "of")
    }
    for stratum, counts in shares.items():
        reached, whole = 0, sum(counts.values())
        for source, count in sorted(counts.items(), key=lambda item: tuple(part or "" for part in item[0])):
            row = (stratum, *source, float(reached), float(reached + count), float(whole))
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
            reached += count
    text, number = pa.string(), pa.float64()
    kinds = dict(zip(columns, (text, text, text, number, number, number), strict=True))
    return pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})


def with_answers(journeys: Journeys, strata: str) -> nw.LazyFrame[Any]:
    """Give every conversion its stratum, whether it was answered, and by what."""
    if journeys.answers is None:
        raise ValueError("self-reported and hybrid need the table of answers; pass answers=")
    orders = journeys.conversions.select("conversion_id", "account_id", "converted_at")
    answers = journeys.answers.select(
        "answer_id",
        "account_id",
        "asked_at",
        "outcome",
        answer_campaign=_column(journeys, "campaign"),
        answer_channel=_column(journeys, "channel"),
    )
    names_a_source = ~(nw.col("answer_campaign").is_null() & nw.col("answer_channel").is_null())
    answers = answers.filter((nw.col("outcome") == "answered") & names_a_source)
    both = orders.join(answers, on="account_id", how="inner")
    # At or before the conversion the latest, otherwise the earliest after: the smallest of these ranks.
    early = nw.col("asked_at") <= nw.col("converted_at")
    both = both.with_columns(
        late=nw.when(early).then(nw.lit(0)).otherwise(nw.lit(1)),
        distance=(nw.col("converted_at") - nw.col("asked_at")).abs(),
    )
    rank = nw.col("conversion_id").cum_count()
    both = both.with_columns(
        rank=rank.over("conversion_id", order_by=("late", "distance", "answer_id"))
    ).filter(nw.col("rank") == 1)
    chosen = both.select("conversion_id", "answer_campaign", "answer_channel", answered=nw.lit(1))
    told = orders.select("conversion_id").join(chosen, on="conversion_id", how="left")
    told = told.with_columns(answered=nw.col("answered").fill_null(0))
    if strata == "none":
        return told.with_columns(stratum=nw.lit(""))
    last = journeys.last_channels().select("conversion_id", stratum=nw.col("channel").fill_null("(unknown)"))
    told = told.join(last, on="conversion_id", how="left")
    return told.with_columns(stratum=nw.col("stratum").fill_null(UNTRACKED))


def _column(journeys: Journeys, name: str) -> nw.Expr:
    return nw.col(name) if name in journeys.answer_columns else nw.lit(None, nw.String)


def count_answers(journeys: Journeys, strata: str) -> dict[str, dict[Reported, int]]:
    """Count answered conversions per stratum and source; a stratum without any is there too."""
    told = with_answers(journeys, strata)
    counted = told.group_by("stratum", "answer_campaign", "answer_channel").agg(
        nw.col("answered").sum().alias("times")
    )
    counts: dict[str, dict[Reported, int]] = {}
    for stratum, campaign, channel, times in counted.collect("pyarrow").rows():
        answered = counts.setdefault(stratum, {})
        if times:
            answered[campaign, channel] = int(times)
    return counts


def pool(counts: Mapping[str, Mapping[Reported, int]]) -> dict[Reported, int]:
    """Add up the answers of all strata."""
    pooled: dict[Reported, int] = {}
    for answered in counts.values():
        for source, times in answered.items():
            pooled[source] = pooled.get(source, 0) + times
    return pooled
