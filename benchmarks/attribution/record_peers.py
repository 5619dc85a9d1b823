"""Record what other people's engines make of one market: ``python -m benchmarks.attribution.record_peers``.

Writes tests/data/peers/market.json, against which `tests/attribution/test_peers.py` checks ours without any
of these packages. Needs the extra ``peers``. Run it again when the market of the tests or a peer changes.
"""

from __future__ import annotations

import importlib.metadata
import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import ChannelAttribution
import do_attribution
import mam
import mta
import mta_audit.attribution
import mta_audit.journeys
import pandas as pd
import polars as pl
import shapley_attribution

from tests.attribution.market import Market, market

JOURNEYS = 1200
OUTPUT = Path(__file__).parents[2] / "tests" / "data" / "peers" / "market.json"
PACKAGES = (
    "channelattribution",
    "do-attribution",
    "marketing-attribution-models",
    "mta",
    "mta-audit",
    "shapley-attribution",
)


def marketing_attribution_models(world: Market) -> dict[str, Any]:
    last = [
        i == len(path) - 1 and won
        for path, won in zip(world.paths, world.converted, strict=True)
        for i in range(len(path))
    ]
    frame = pl.DataFrame(
        {
            "user": world.touches["account_id"].to_pylist(),
            "at": [hour for some in world.hours for hour in some],
            "channel": world.touches["channel"].to_pylist(),
            "won": last,
        }
    ).with_columns(pl.from_epoch(pl.col("at") * 3600, time_unit="s").alias("at"))
    model = mam.MAM(frame, "format_1", "channel", "won", datetime_colname="at", user_id_colname="user")
    found: dict[str, Any] = {}
    for name in ("first_click", "last_click", "linear", "position_based", "time_decay", "markov"):
        result = getattr(model, f"run_{name}")()
        table = result.to_polars()
        found[name] = dict(
            zip(table["channels"].cast(str).to_list(), table["attribution"].to_list(), strict=True)
        )
        if name == "markov":
            found["removal_effects"] = result.metadata["removal_effect"]["removal_effect"].to_dict()
    return found


def multi_touch(world: Market) -> dict[str, Any]:
    counted = Counter(zip(world.paths, world.converted, strict=True))
    rows = [
        {"path": " > ".join(path), "total_conversions": count * won, "total_null": count * (not won)}
        for (path, won), count in counted.items()
    ]
    model = mta.MTA(pd.DataFrame(rows), allow_loops=True, add_timepoints=False, normalize_by_default=False)
    for name in ("first_touch", "last_touch", "linear", "position_based", "shapley"):
        getattr(model, name)(normalize=False, **({"share": "proportional"} if name == "linear" else {}))
    names = ("first_touch", "last_touch", "linear", "pos_based", "shapley")
    found = {name: dict(model.attribution[name]) for name in names}
    model.markov(sim=False, normalize=True)
    return found | {"markov": dict(model.attribution["markov"])}


def audit(world: Market) -> dict[str, float]:
    start = pd.Timestamp("2026-03-01", tz="UTC")
    records = []
    for i, (path, hours, won) in enumerate(zip(world.paths, world.hours, world.converted, strict=True)):
        touches = tuple(
            mta_audit.journeys.Touchpoint(channel, start + pd.Timedelta(hours=hour))
            for channel, hour in zip(path, hours, strict=True)
        )
        records.append(mta_audit.journeys.Journey(i, touches, won, touches[-1].timestamp if won else None))
    model = mta_audit.attribution.MarkovAttribution(removal_strategy="redirect_to_null")
    return dict(model.fit(records).removal_effects)


def do(world: Market) -> dict[str, Any]:
    strings, won = [" > ".join(path) for path in world.paths], [int(yes) for yes in world.converted]
    found: dict[str, Any] = {
        f"removal_effects, order {order}": do_attribution.MarkovAttribution(
            order=order, removal_strategy="redirect_to_null"
        ).fit(strings, won)["removal_effects"]
        for order in (1, 2, 3, 4)
    }
    return found | {"shapley": do_attribution.ShapleyAttribution().fit(strings, won)["attribution"]}


def shapley(world: Market) -> dict[str, Any]:
    simple = shapley_attribution.SimplifiedShapleyAttribution(normalize=False)
    unique = simple.fit(world.paths, [int(won) for won in world.converted]).get_attribution()
    ordered = shapley_attribution.OrderedShapleyAttribution(normalize=False)
    of_five = ordered.fit([("fair", "call"), ("mail", "call")] * 5, [1, 0] * 5).get_attribution()
    return {"simplified": unique, "ordered, five conversions": of_five}


def channel_attribution(world: Market) -> dict[str, Any]:
    rows = [
        {"path": " > ".join(path), "conv": int(won), "null": int(not won)}
        for path, won in zip(world.paths, world.converted, strict=True)
    ]
    frame = pd.DataFrame(rows)
    table = ChannelAttribution.heuristic_models(frame, "path", "conv", flg_pro=False)
    found = {
        name: dict(zip(table["channel_name"], table[name], strict=True))
        for name in ("first_touch", "last_touch", "linear_touch")
    }
    sampled = ChannelAttribution.markov_model(
        frame, "path", "conv", var_null="null", out_more=True, seed=1, verbose=False, flg_pro=False
    )["removal_effects"]
    effects = dict(zip(sampled["channel_name"], sampled["removal_effect"], strict=True))
    return found | {"removal_effects": effects}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): plain(some) for key, some in sorted(value.items(), key=lambda item: str(item[0]))}
    return None if value is None else float(value)


def main() -> None:
    warnings.simplefilter("ignore")
    world = market(JOURNEYS)
    found = {
        "marketing-attribution-models": marketing_attribution_models(world),
        "mta": multi_touch(world),
        "mta-audit": {"removal_effects": audit(world)},
        "do-attribution": do(world),
        "shapley-attribution": shapley(world),
        "channelattribution": channel_attribution(world),
    }
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"journeys": JOURNEYS, "versions": versions} | plain(found), indent=1)
    OUTPUT.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
