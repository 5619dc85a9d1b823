"""Simulated markets made by a job: every model against the truth, our own market, and moves of budget in it.

What comes of them is kept as files in ``data_dir/simulations``; it holds sums and no person.
"""

import json
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

# The simulator brings SciPy and SimPy, which take longer to load than all other pages and jobs: what runs
# it imports it, so that neither server nor worker waits for it to start.
from attribution import JourneyError
from attribution.models import FITTED
from tracking.access.jobs import Arguments, Progress
from tracking.errors import Invalid, NotFound

if TYPE_CHECKING:
    from simulator.expectation import Followed
    from simulator.fitting import Fit

LEAST_ACCOUNTS, MOST_ACCOUNTS = 50, 5_000
LEAST_DAYS, MOST_DAYS = 30, 1_095
LARGEST_SEED = 2**31 - 1
KEPT, KEPT_DAYS = 30, 365
"""So many results are kept, and none that is so many days older than the newest."""
LEVEL = 0.9
"""Nominal coverage of the intervals that are compared with the truth."""
_RESAMPLES = 200
_TRIALS = 4
_DRAWS = 0
"""Worlds tried for each family; 0 = as many as `simulator.decide` says."""
# Fitted models go alone, so that one that these tables do not support spoils no other.
_TOKEN = re.compile(r"[0-9a-f]{32}")


class Archive:
    """The folder of results of one installation."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "simulations"

    def put(self, token: str, result: Mapping[str, Any], toml: str | None = None) -> None:
        """Keep a result, and with it a scenario where one was fitted; the oldest go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if toml is not None:
            _write(self._path(token, "toml"), toml)
        _write(self._path(token, "json"), json.dumps(_plain(result), allow_nan=False))
        ages = {path: path.stat().st_mtime for path in self._folder.glob("*.json")}
        newest = sorted(ages, key=lambda path: ages[path], reverse=True)
        for place, path in enumerate(newest):
            if place >= KEPT or ages[path] < ages[newest[0]] - KEPT_DAYS * 86_400:
                self.drop(path.stem)

    def get(self, token: str) -> dict[str, Any] | None:
        """Return a result; None before there is one, and after it has gone."""
        path = self._path(token, "json")
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def scenario(self, token: str) -> Path:
        """Return the file of a fitted scenario, or raise NotFound."""
        path = self._path(token, "toml")
        if not path.exists():
            raise NotFound("this scenario has been deleted; build the market again")
        return path

    def drop(self, token: str) -> None:
        """Take out a result."""
        for end in ("json", "toml"):
            self._path(token, end).unlink(missing_ok=True)

    def _path(self, token: str, end: str) -> Path:
        # The token becomes part of a path.
        if not _TOKEN.fullmatch(token):
            raise NotFound("simulation not found")
        return self._folder / f"{token}.{end}"


def new_token() -> str:
    """Return a name for a result to come."""
    return secrets.token_hex(16)


def run(archive: Archive, arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
    """Simulate a market, find out what its campaigns caused, and score every model on what was tracked."""
    from simulator import scenario as scenarios
    from simulator import score as scoring
    from simulator.coverage import intervals
    from simulator.expectation import over_seeds
    from simulator.market import World
    from simulator.nulls import nulls
    from simulator.runs import counted, mapper, results
    from simulator.study import PERMUTATIONS
    from simulator.truth import EXACT, find, spend_minor
    from simulator.write import tables

    source = arguments["scenario"]
    scenario = scenarios.load(source if source in scenarios.names() else archive.scenario(source))
    world = World(scenario, arguments["accounts"], arguments["days"], arguments["seed"])
    movable = sum(variable > 0 for _, variable in spend_minor(world)) > 1
    orders = 0 if len(world.campaigns) <= EXACT else PERMUTATIONS
    with mapper() as spread:
        # Taking in what came of the desk is a second result for each shard.
        seen = tables(world, counted(spread, _part(progress, 0, 10), 2 * results(world, 0)))
        truth = find(
            world,
            spread,
            permutations=orders,
            exact_shapley=not orders,
            on_progress=_part(progress, 10, 35),
        ).report
        if truth["window"]["margin_minor"] <= 0:
            raise Invalid("accounts", "too few: there were no buyers. Use more companies or more days")
        truth, gains = over_seeds(world, truth, spread, regret=movable, on_progress=_part(progress, 35, 90))
    credit, unavailable = _credits(seen)
    progress(95, 100)
    spans = intervals(seen, tuple(credit), _RESAMPLES, arguments["seed"], LEVEL)
    caused, expected = scoring.true_margin(truth), scoring.true_whole(truth)
    errors, whole = scoring.true_errors(truth) or {}, truth["window"]["margin_minor"]
    means = truth["expectation"]["campaigns"]
    campaigns = []
    for name, (fixed, variable) in zip(world.campaigns, spend_minor(world), strict=True):
        campaigns.append(
            {
                "campaign": name,
                "channel": scenario.campaigns[name].channel,
                "spend_minor": fixed + variable,
                "margin_minor": caused[name],
                "error": errors[name] / expected,
                "needed": truth["campaigns"][name]["deals"]["needed"],
                "removal": means[name]["removal"]["margin_minor"] / expected,
                "first_in": means[name]["first_in"]["margin_minor"] / expected,
                "below_zero": {
                    by: {"margin_minor": truth["campaigns"][name][by]["margin_minor"]} | causes
                    for by, causes in truth["campaigns"][name].get("below_zero", {}).items()
                },
                "share": caused[name] / expected,
                "roi": _roi(caused[name], fixed + variable),
                "models": {
                    model: {
                        "share": given.get(name, 0) / whole,
                        "roi": _roi(given.get(name, 0), fixed + variable),
                    }
                    for model, given in credit.items()
                },
            }
        )
    models = []
    for model, given in credit.items():
        found = scoring.compare(model, given, truth, world, gains)
        ends = [(spans.get((model, name), (0.0, 0.0)), caused[name]) for name in world.campaigns]
        held = sum(low <= true <= high for (low, high), true in ends)
        models.append(asdict(found) | _money(found.followed, expected) | {"held": held})
    rules = [asdict(each) | _money(each.followed, expected) for each in nulls(world, truth, gains)]
    result = {
        "scenario": scenario.name,
        "fitted": None if source in scenarios.names() else source,
        "currency": scenario.currency,
        "accounts": world.accounts,
        "days": world.days,
        "seed": world.seed,
        "orders": truth["window"]["orders"],
        "margin_minor": whole,
        "anyway_minor": round(whole * (1 - sum(caused.values()) / expected)),
        "campaigns": campaigns,
        "models": sorted(models, key=lambda score: score["total_variation"]),
        "nulls": rules,
        "seeds": truth["expectation"]["seeds"],
        "allocation": scoring.allocation(truth),
        "orders_of_joining": orders,
        "unavailable": unavailable,
    }
    archive.put(arguments["token"], result)
    return {"orders": result["orders"]}


def fit(
    archive: Archive, data: Mapping[str, pa.Table], arguments: Arguments, progress: Progress
) -> Mapping[str, Any]:
    """Build a market from an installation's tables, and say how well figures fit that were not used."""
    found, result, toml = _fitted(data, arguments, _part(progress, 0, 100))
    archive.put(arguments["token"], result, toml)
    return {"runs": found.runs}


def decide(
    archive: Archive, data: Mapping[str, pa.Table], arguments: Arguments, progress: Progress
) -> Mapping[str, Any]:
    """Build a market from an installation's tables, and try moves of budget in it under every belief."""
    from simulator import decide as deciding
    from simulator.runs import mapper

    found, result, toml = _fitted(data, arguments, _part(progress, 0, 35))
    with mapper() as spread:
        try:
            trial = deciding.decide(
                data,
                found.scenario,
                spread,
                draws=_DRAWS or deciding.DRAWS,
                seed=1 + arguments["seed"],
                on_progress=_part(progress, 35, 100),
            )
        except ValueError as error:
            raise _too_little(error) from None
    archive.put(arguments["token"], result | {"trial": deciding.as_plain(trial)}, toml)
    return {"moves": len(trial.moves)}


def _fitted(
    data: Mapping[str, pa.Table], arguments: Arguments, on_progress: Callable[[float], None]
) -> "tuple[Fit, dict[str, Any], str]":
    """Return a fit, what is kept of it, and the scenario as a file."""
    from simulator import fitting, own_file
    from simulator.runs import SHARD, counted, mapper

    # Each simulated market is two results a shard; the optimiser may end before its last step.
    shards = math.ceil((arguments["accounts"] or LEAST_ACCOUNTS) / SHARD)
    most = 2 * shards * (_TRIALS * (len(fitting.PARAMETERS) + 1) + 20)
    with mapper() as spread:
        try:
            found = fitting.fit(
                data,
                counted(spread, on_progress, most),
                accounts=arguments["accounts"],
                seed=arguments["seed"],
                trials=_TRIALS,
            )
        except ValueError as error:
            raise _too_little(error) from None
    result = {
        "accounts": found.scenario.accounts,
        "seed": arguments["seed"],
        "days": found.scenario.days,
        "currency": found.scenario.currency,
        "runs": found.runs,
        "won": found.own.orders,
        "estimates": found.estimates,
        "left_out": found.left_out,
        "unidentified": found.unidentified,
        "tied": found.tied,
        "fitted": found.fitted,
        "held_out": found.held_out,
        "values": own_file.value_rows(found.own),
    }
    return found, result, own_file.as_toml(found.own)


def _too_little(error: ValueError) -> Invalid:
    return Invalid("data", "not enough data to build a market: %(error)s", error=error)


def _credits(seen: Mapping[str, pa.Table]) -> tuple[dict[str, dict[str | None, int]], dict[str, str]]:
    """Return each model's credit, and which models these tables do not support and why."""
    from simulator import score as scoring

    fitted = [model for model in scoring.SCORED if model in FITTED]
    found = scoring.credits(seen, [model for model in scoring.SCORED if model not in FITTED])
    unavailable = {}
    for model in fitted:
        try:
            found |= scoring.credits(seen, (model,))
        except JourneyError as error:
            unavailable[model] = str(error)
    return found, unavailable


def _money(followed: "Followed | None", whole: float) -> dict[str, Any]:
    """Return gain and loss by a move as shares of the whole, with errors, and whether it beats leaving."""
    if followed is None:
        return {"beats_leaving": None}
    shares = {name: None if value is None else value / whole for name, value in asdict(followed).items()}
    return shares | {"beats_leaving": followed.beats_leaving}


def _roi(margin: int, spend: int) -> float | None:
    return (margin - spend) / spend if spend else None


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: a figure without end, or none at all, is null."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _part(progress: Progress, begins: int, ends: int) -> Callable[[float], None]:
    """Return what tells how far a part of the work is, as a part of the whole in percent."""
    return lambda share: progress(begins + round(share * (ends - begins)), 100)
