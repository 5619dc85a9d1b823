"""From touches and conversions to paths: join, window, position; and paths counted for the fitted models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from attribution.answers import with_answers
from attribution.backends import Backend
from attribution.credit import LARGEST_DENOMINATOR
from attribution.journeys import KINDS, JourneyError
from attribution.rules import DAY, Lookup, Model
from attribution.sources import Source, check_rows
from attribution.windows import PATH, Window

Lookback = float | Mapping[str, float] | None

MILESTONES = ("lead", "qualified", "opportunity")
DIRECT = ("direct",)
UNKNOWN = "(unknown)"
ORDER = ("at", "touch_id")
LARGEST_SUM = 9.2e18
MOST_PAIRS = 20_000_000_000


class Journeys:
    """Touches and conversions opened on one engine, ready to be cut into paths."""

    def __init__(self, backend: Backend, sources: Sequence[Source], lookback: Lookback) -> None:
        _refuse_unlike(sources)
        self.backend = backend
        self.answers = backend.load(sources[2]) if len(sources) > 2 else None
        self.answer_columns = sources[2].columns if len(sources) > 2 else {}
        self.touch_columns = sources[0].columns
        self.touches = backend.load(sources[0])
        self.lookback = _windows(lookback)
        self._sources = sources
        self.conversions = self._numbered()

    def _numbered(self) -> nw.LazyFrame[Any]:
        conversions = self.backend.load(self._sources[1])
        absent = [m for m in MILESTONES if f"{m}_at" not in self._sources[1].columns]
        if absent:
            unknown = {f"{m}_at": nw.lit(None, nw.Int64) for m in absent}
            conversions = conversions.with_columns(**unknown)
        return self.backend.number(conversions)

    def parts(self) -> Iterator[Journeys]:
        """Give the conversions in parts that can be worked on one after the other: here all at once."""
        yield self

    def over(
        self, frame: nw.LazyFrame[Any], windows: Mapping[str, Window], order: str | Sequence[str] = "k"
    ) -> nw.LazyFrame[Any]:
        """Add figures about the path of each row."""
        return frame.with_columns(**{name: window.expression(order) for name, window in windows.items()})

    def check(self, models: Sequence[Model]) -> None:
        """Refuse rows that break the contract, and figures too large to stay exact or to be worked out."""
        self._check_rows()
        sizes = self.conversions.select("currency", size=nw.col("value_minor").abs().cast(nw.Float64))
        for currency, total in _rows(sizes.group_by("currency").agg(nw.col("size").sum())):
            if total >= LARGEST_SUM:
                raise JourneyError(
                    f"the values in {currency} add up to {total:.3g} minor units, beyond {LARGEST_SUM:.2g}",
                    "share fewer conversions at a time, or give values in whole units",
                    table="conversions",
                    column="value_minor",
                )
        parts = max(model.parts for model in models)
        longest, together = self._crowded(parts)
        if longest * parts >= LARGEST_DENOMINATOR:
            raise JourneyError(
                f"one account has {longest} touches, too many to share exactly in parts of 1/{parts}",
                "use rounder shares, or leave out a switchboard that is no buyer",
                table="touches",
                column="account_id",
            )
        if together > MOST_PAIRS:
            raise JourneyError(
                f"accounts with many touches and many conversions make {together} pairs",
                "leave out a switchboard or house account that is no buyer",
                table="touches",
                column="account_id",
            )

    def _check_rows(self) -> None:
        check_rows(self.touches, self._sources[0])
        check_rows(self.conversions, self._sources[1])
        if self.answers is not None:
            check_rows(self.answers, self._sources[2])

    def _crowded(self, parts: int) -> tuple[int, int]:
        """Give the most touches of a converting account, and how many pairs touches and conversions make.

        Zeros where even all touches in one account would be no harm.
        """
        [(count,)] = _rows(self.touches.select(nw.len()))
        orders = self.conversions.group_by("account_id").agg(nw.len().alias("orders"))
        [(most,)] = _rows(orders.select(nw.col("orders").max()))
        if count * parts < LARGEST_DENOMINATOR and count * (most or 0) < MOST_PAIRS:
            return 0, 0
        touches = self.touches.group_by("account_id").agg(nw.len().alias("n"))
        both = touches.join(orders, on="account_id", how="inner")
        pairs = (nw.col("n") * nw.col("orders")).sum()
        [(longest, together)] = _rows(both.select(nw.col("n").max(), pairs.alias("pairs")))
        return longest or 0, together or 0

    def paths(self, models: Sequence[Model], keep: Sequence[str] = ()) -> nw.LazyFrame[Any]:
        """Join each conversion with the touches in its window, and number them."""
        wanted: set[str] = set()
        reads = {"channel"} if any("known" in model.windows for model in models) else set()
        for model in models:
            wanted |= model.windows
            reads |= model.reads
        milestones = [m for m in MILESTONES if f"{m}_k" in wanted]
        columns = [PATH, "conversion_id", "account_id", "converted_at", "value_minor", "currency"]
        orders = self.conversions.select(*columns, *(f"{m}_at" for m in milestones))
        if "answer" in wanted:
            told = with_answers(self, "none").select("conversion_id", "answered", "answer_channel")
            orders = orders.join(told, on="conversion_id", how="inner")
        inside = self.inside(orders, [*keep, *sorted(reads)])
        for i, model in enumerate(models):
            if isinstance(model, Lookup) and model.weights:
                inside = self._looked_up(inside, model, f"m{i}")
        flags: dict[str, nw.Expr] = {}
        if "known" in wanted:
            known = ~nw.col("channel").is_null() & ~nw.col("channel").is_in(DIRECT)
            flags["known"] = nw.when(known).then(nw.lit(1)).otherwise(nw.lit(0))
        for m in milestones:
            reached = nw.col("at") <= nw.col(f"{m}_at")
            flags[f"{m}_reached"] = nw.when(reached).then(nw.lit(1)).otherwise(nw.lit(0))
        if flags:
            inside = inside.with_columns(**flags)
        numbered = {"k": Window("place"), "n": Window("size")}
        if "last_at" in wanted:
            numbered["last_at"] = Window("max", "at")
        if "known" in wanted:
            numbered |= {"known_k": Window("so far", "known"), "known_n": Window("sum", "known")}
        numbered |= {f"{m}_k": Window("sum", f"{m}_reached") for m in milestones}
        numbered |= {
            f"{key}_m": Window("size", key=key) for key in ("channel", "campaign") if f"{key}_m" in wanted
        }
        result = self.over(inside, numbered, ORDER)
        # Positions are float64: see credit.py.
        floats = [nw.col(name).cast(nw.Float64) for name in numbered if name != "last_at"]
        size = nw.col("value_minor").abs().cast(nw.Float64)
        sign = nw.when(nw.col("value_minor") < 0).then(nw.lit(-1.0)).otherwise(nw.lit(1.0))
        result = result.with_columns(*floats, size=size, sign=sign)
        return result.with_columns(known=nw.col("known") == 1) if "known" in wanted else result

    def untouched(self) -> nw.LazyFrame[Any]:
        """Give the conversions that no touch precedes within their window."""
        orders = self.conversions.select("conversion_id", "account_id", "converted_at")
        reached = self.inside(orders, []).select("conversion_id").unique()
        return self.conversions.join(reached, on="conversion_id", how="anti")

    def last_channels(self) -> nw.LazyFrame[Any]:
        """Give the channel of the last touch before each conversion that has one."""
        orders = self.conversions.select(PATH, "conversion_id", "account_id", "converted_at")
        path = self.inside(orders, ["channel"])
        left = nw.col(PATH).cum_count(reverse=True).over(PATH, order_by=ORDER)
        return path.with_columns(left=left).filter(nw.col("left") == 1)

    def load(self, name: str, table: pa.Table) -> nw.LazyFrame[Any]:
        """Bring a small table to the engine."""
        kinds = dict(zip(table.column_names, table.schema.types, strict=True))
        return self.backend.load(Source(name, kinds, table))

    def grams(self, key: str, order: int) -> Iterator[tuple[tuple[str | None, ...], float, float, float]]:
        """Count every run of order + 1 touches, and how often it ends a converting or another path."""
        for *gram, times, converted, lost in sorted(_rows(self._grams(key, order, [])), key=str):
            yield tuple(gram), float(times), float(converted), float(lost)

    def account_grams(
        self, key: str, order: int
    ) -> Iterator[tuple[Any, tuple[str | None, ...], float, float, float]]:
        """Count the same for each account by itself."""
        for account, *gram, times, converted, lost in _rows(self._grams(key, order, ["account_id"])):
            yield account, tuple(gram), float(times), float(converted), float(lost)

    def _grams(self, key: str, order: int, owner: Sequence[str]) -> nw.LazyFrame[Any]:
        path = self._everyone(key)
        before = {
            f"g{i}": nw.col(key).shift(i).over("account", PATH, order_by=ORDER) for i in range(1, order + 1)
        }
        following = nw.col(key).shift(-1).over("account", PATH, order_by=ORDER)
        path = path.with_columns(**before, following=following)
        last = nw.when(nw.col("following").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
        path = path.with_columns(converted=last * nw.col("won"), lost=last * (1 - nw.col("won")))
        run = [*(f"g{i}" for i in range(order, 0, -1)), key]
        return path.group_by(*owner, *run).agg(
            nw.len().alias("times"), nw.col("converted").sum(), nw.col("lost").sum()
        )

    def keys(self, key: str) -> list[str]:
        """List the sources that occur in any path, in alphabetical order."""
        return sorted(row[0] for row in _rows(self._everyone(key).select(key).unique()))

    def coalitions(self, key: str, players: Sequence[str]) -> dict[int, tuple[int, int]]:
        """Count paths and conversions per set of sources met, as bit masks over `players`."""
        masks = self._masks(key, players)
        counted = masks.group_by("mask").agg(nw.len().alias("times"), nw.col("won").sum())
        return {int(mask): (int(times), int(won)) for mask, times, won in _rows(counted)}

    def account_coalitions(self, key: str, players: Sequence[str]) -> Iterator[tuple[Any, int, float, float]]:
        """Count the same for each account by itself."""
        masks = self._masks(key, players).group_by("account_id", "mask")
        for account, mask, times, won in _rows(masks.agg(nw.len().alias("times"), nw.col("won").sum())):
            yield account, int(mask), float(times), float(won)

    def _masks(self, key: str, players: Sequence[str]) -> nw.LazyFrame[Any]:
        bits = pa.table(
            {key: list(players), "bit": pa.array([1 << i for i in range(len(players))], pa.int64())}
        )
        lookup = self.load("players", bits)
        met = self._everyone(key).select("account_id", PATH, "won", key).unique()
        return (
            met.join(lookup, on=key, how="inner")
            .group_by("account_id", PATH, "won")
            .agg(nw.col("bit").sum().alias("mask"))
        )

    def _everyone(self, key: str) -> nw.LazyFrame[Any]:
        """Give the touches of all paths; an account that never converted has one, up to its last touch."""
        orders = self.conversions.select("account_id", PATH, "converted_at", won=nw.lit(1, nw.Int64))
        if self.lookback is None:
            touches = self.touches.select("touch_id", "account_id", "account", key, at=nw.col("occurred_at"))
            path = touches.join(orders, on="account_id", how="left")
            before = nw.col("converted_at").is_null() | (nw.col("at") <= nw.col("converted_at"))
            path = path.filter(before).with_columns(nw.col("won").fill_null(0))
        else:
            orders = nw.concat([orders, self._never(orders)], how="vertical")
            path = self.inside(orders, ["account", key])
        return path.with_columns(nw.col(key).fill_null(UNKNOWN))

    def _never(self, orders: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Give accounts without a conversion one that did not happen, at their last touch."""
        schema = orders.collect_schema()
        return (
            self.touches.group_by("account_id")
            .agg(nw.col("occurred_at").max().alias("converted_at"))
            .join(self.conversions.select("account_id"), on="account_id", how="anti")
            .select(
                "account_id",
                nw.lit(None, schema[PATH]).alias(PATH),
                "converted_at",
                nw.lit(0, nw.Int64).alias("won"),
            )
        )

    def inside(self, orders: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Join `orders` with their accounts' touches inside the window."""
        needs = ["touch_id", "account_id", "occurred_at", *columns]
        if isinstance(self.lookback, Mapping):
            needs += ["channel", "kind"]
        touches = self.touches.select(*dict.fromkeys(needs)).rename({"occurred_at": "at"})
        joined = orders.join(touches, on="account_id", how="inner")
        before = joined.filter(nw.col("at") <= nw.col("converted_at"))
        if self.lookback is None:
            return before
        if isinstance(self.lookback, int):
            return before.filter(nw.col("at") >= nw.col("converted_at") - self.lookback)
        allowed = nw.lit(self.lookback.get("*"), nw.Int64)
        # The later condition wraps the earlier: kinds first, so that a channel's window wins.
        for column in ("kind", "channel"):
            for name, window in self.lookback.items():
                if name != "*" and (column == "channel" or name in KINDS):
                    allowed = nw.when(nw.col(column) == name).then(nw.lit(window)).otherwise(allowed)
        recent = nw.col("at") >= nw.col("converted_at") - nw.col("window")
        kept = before.with_columns(window=allowed).filter(nw.col("window").is_null() | recent)
        return kept.drop("window")

    def _looked_up(self, frame: nw.LazyFrame[Any], model: Lookup, prefix: str) -> nw.LazyFrame[Any]:
        looked = f"{prefix}_looked"
        table = pa.table({model.key: list(model.weights), looked: list(model.weights.values())})
        lookup = self.load(looked, table)
        return frame.join(lookup, on=model.key, how="left").with_columns(nw.col(looked).fill_null(model.rest))


def _refuse_unlike(sources: Sequence[Source]) -> None:
    whole = [pa.types.is_integer(source.columns["account_id"]) for source in sources]
    for source, number in zip(sources, whole, strict=True):
        if number != whole[0]:
            raise JourneyError(
                f"the type is {source.columns['account_id']}, unlike that of the touches' account_id",
                "write accounts as text in every table, or as whole numbers in every table",
                table=source.name,
                column="account_id",
            )


def _rows(frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
    return list(frame.collect("pyarrow").rows())


def _windows(lookback: Lookback) -> int | dict[str, int] | None:
    if isinstance(lookback, Mapping):
        return {name: _microseconds(days) for name, days in lookback.items()}
    return None if lookback is None else _microseconds(lookback)


def _microseconds(days: float) -> int:
    if not 0 <= days <= 1e6:
        raise ValueError(f"a lookback of {days} days cannot be; use a number from 0 to 1,000,000, or None")
    return round(days * DAY)
