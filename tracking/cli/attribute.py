"""``ringtrail attribute`` and ``ringtrail explain``: the engine on files, without any database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from attribution import MODELS, UNATTRIBUTED, JourneyError, Markov, Positions, attribute, explain
from attribution.engine import By
from attribution.feeders import ENGINES
from attribution.rules import full_path, inverse_j, j_shaped, position_based, u_shaped, w_shaped
from attribution.sources import read
from attribution.uncertainty import draws
from tracking.cli.installation import Number, Whole, fail

FORMATS = ("table", "json", "csv", "parquet")

_POSITIONAL: dict[str, Callable[..., Positions]] = {
    maker().name: maker for maker in (position_based, u_shaped, w_shaped, full_path, j_shaped, inverse_j)
}

WIDE = 200
"""Columns of a table that goes to a file or a pipe."""

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(exists=True, path_type=Path)


class Window(click.ParamType[tuple[str, float]]):
    """A lookback: days for everything, or KIND=DAYS and CHANNEL=DAYS."""

    name = "days"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Split the name from the days."""
        name, _, days = str(value).rpartition("=")
        try:
            return name or "*", float(days)
        except ValueError:
            self.fail(f"{value!r} is not a number of days or NAME=DAYS, such as 90 or fair=365", param, ctx)


class Share(click.ParamType[tuple[str, float]]):
    """A share of the model custom, POSITION=PARTS."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Split the position from its share."""
        position, _, parts = str(value).partition("=")
        try:
            return position, float(parts)
        except ValueError:
            self.fail(f"{value!r} is not POSITION=PARTS, such as first=40 or middle=20", param, ctx)


def _made(models: tuple[str, ...], given: Mapping[str, Any]) -> list[Any]:
    """Turn names and the options that belong to some of them into models."""
    settings = {name: value for name, value in given.items() if value is not None}
    positions = {name: settings[name] for name in ("no_middle", "missing") if name in settings}
    chain = {name: settings[name] for name in ("order", "allocation", "states") if name in settings}
    shares = dict(given["shares"])
    for unused, flag, needs in (
        (chain and "markov" not in models, "--order, --allocation and --states", "--model markov"),
        (shares and "custom" not in models, "--share", "--model custom"),
        (
            positions and not {*_POSITIONAL, "custom"} & set(models),
            "--no-middle and --missing",
            "a position-based model",
        ),
    ):
        if unused:
            raise click.UsageError(f"{flag} need {needs}")
    if "custom" in models and not shares:
        raise click.UsageError(
            "--model custom needs its shares: --share first=40 --share last=40 --share middle=20"
        )
    made: list[Any] = []
    for name in dict.fromkeys(models):
        if name == "markov":
            made.append(Markov(**chain))
        elif name == "custom":
            middle = shares.pop("middle", 0)
            try:
                made.append(Positions(shares, middle=middle, **positions))
            except ValueError as error:
                raise click.UsageError(str(error)) from None
        else:
            made.append(_POSITIONAL[name](**positions) if name in _POSITIONAL else name)
    return made


def _shared(command: F) -> F:
    """Add the options that both commands have."""
    for option in (
        click.option("--touches", required=True, type=FILE, help="File of touches (.parquet or .csv)."),
        click.option(
            "--conversions", required=True, type=FILE, help="File of conversions (.parquet or .csv)."
        ),
        click.option("--answers", type=FILE, help="File of answers to “How did you hear about us?”."),
        click.option(
            "--model",
            "models",
            multiple=True,
            type=click.Choice(MODELS),
            default=("first-touch", "last-touch", "linear", "position-based"),
            help="Attribution model (repeatable).",
        ),
        click.option(
            "--lookback",
            multiple=True,
            type=Window(),
            help="Lookback window in days, or NAME=DAYS for one channel or kind (repeatable).",
        ),
        click.option("--half-life", type=Number(), help="Half-life in days (time-decay)."),
        click.option("--order", type=Whole(1, 4), help="Number of touches in a state (markov)."),
        click.option(
            "--allocation",
            type=click.Choice(["journey", "total"]),
            help="Split each deal over its own touches, or the total over all sources (markov).",
        ),
        click.option(
            "--states", type=click.Choice(["channel", "campaign"]), help="States of the chain (markov)."
        ),
        click.option(
            "--share",
            "shares",
            multiple=True,
            type=Share(),
            help="Share of first, lead, qualified, opportunity, last or middle (custom), as in first=40.",
        ),
        click.option(
            "--no-middle",
            type=click.Choice(["proportional", "equal"]),
            help="Where the middle share goes if every touch has a position.",
        ),
        click.option(
            "--missing",
            type=click.Choice(["next", "spread"]),
            help="Where the share of a missing milestone goes.",
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="duckdb",
            show_default=True,
            help="Engine that does the calculation.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            help="Output format (default: from the file name, or table).",
        ),
        click.option(
            "-o", "--output", type=click.Path(path_type=Path), help="Output file (default: terminal)."
        ),
    ):
        command = option(command)
    return command


@click.command("attribute")
@_shared
@click.option("--costs", type=FILE, help="File of costs, for ROI by campaign or channel.")
@click.option(
    "--by",
    type=click.Choice(get_args(By)),
    default="campaign",
    show_default=True,
    help="Group credit by touch, campaign, channel or other key.",
)
@click.option("--intervals", type=Whole(2), help="Add 90% intervals from N resamples.", metavar="N")
def attribute_command(
    touches: Path,
    conversions: Path,
    answers: Path | None,
    models: tuple[str, ...],
    lookback: tuple[tuple[str, float], ...],
    half_life: float | None,
    engine: str,
    form: str | None,
    output: Path | None,
    costs: Path | None,
    by: By,
    intervals: int | None,
    **settings: Any,
) -> None:
    """Credit conversions to touches, from files; no database needed."""
    form, chosen = _format(form, output), _made(models, settings)
    options: dict[str, Any] = {
        "lookback_days": _windows(lookback),
        "half_life_days": half_life,
        "answers": answers,
        "engine": engine,
    }
    with _told(f"{', '.join(models)} on {engine}"):
        if intervals:
            drawn = draws(touches, conversions, chosen, by=by, replicates=intervals, costs=costs, **options)
            table = drawn.intervals()
            earning = {currency for source, currency in drawn.sources if source != UNATTRIBUTED}
            said = [f"{currency}: {drawn.decision(currency)}" for currency in sorted(earning)]
        elif by == "touch" and form == "parquet" and output is not None:
            attribute(touches, conversions, chosen, by=by, output=output, **options)
            click.echo(f"Wrote {output}", err=True)
            return
        else:
            table, said = attribute(touches, conversions, chosen, by=by, **options), []
            if costs is not None:
                table = _with_return(table, costs, by)
    _write(table, form, output)
    for sentence in said:
        click.echo(sentence, err=True)


@click.command("explain")
@click.argument("conversion")
@_shared
def explain_command(
    conversion: str,
    touches: Path,
    conversions: Path,
    answers: Path | None,
    models: tuple[str, ...],
    lookback: tuple[tuple[str, float], ...],
    half_life: float | None,
    engine: str,
    form: str | None,
    output: Path | None,
    **settings: Any,
) -> None:
    """Show the journey of CONVERSION: each touch and its weight under each model."""
    chosen = _made(models, settings)
    with _told(f"the journey of {conversion}"):
        table = explain(
            touches,
            conversions,
            conversion,
            chosen,
            lookback_days=_windows(lookback),
            half_life_days=half_life,
            answers=answers,
            engine=engine,
        )
    _write(table, _format(form, output), output)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Show on the terminal that work goes on, and turn bad input into one line."""
    try:
        with Console(stderr=True).status(f"Calculating {what}"):
            yield
    except (JourneyError, ValueError, OSError) as error:
        fail(str(error))


def _windows(given: tuple[tuple[str, float], ...]) -> float | Mapping[str, float] | None:
    windows = dict(given)
    return windows["*"] if set(windows) == {"*"} else windows or None


def _format(form: str | None, output: Path | None) -> str:
    if form is None:
        ending = output.suffix.lstrip(".") if output else "table"
        form = ending if ending in FORMATS else "table"
    if form == "parquet" and output is None:
        raise click.UsageError("Parquet needs an output file; add -o FILE")
    return form


def _with_return(table: pa.Table, costs: Path, by: str) -> pa.Table:
    """Add cost and (credit - cost) / cost where a cost is known."""
    if by not in ("campaign", "channel"):
        raise click.UsageError("--costs needs --by campaign or --by channel")
    spent = read(costs, "costs").rows().group_by([by, "currency"]).aggregate([("amount_minor", "sum")])
    cost = {(row[by], row["currency"]): row["amount_minor_sum"] for row in spent.to_pylist()}
    mine = [cost.get((row[by], row["currency"])) for row in table.select([by, "currency"]).to_pylist()]
    amounts = pa.array(mine, pa.int64())
    paid = pc.if_else(pc.equal(amounts, 0), None, amounts).cast(pa.float64())
    gained = pc.subtract(table["credit_minor"], amounts).cast(pa.float64())
    return table.append_column("cost_minor", amounts).append_column("roi", pc.divide(gained, paid))


def _write(table: pa.Table, form: str, output: Path | None) -> None:
    if form == "parquet":
        pyarrow.parquet.write_table(table, output)
    elif form == "csv":
        with output.open("wb") if output else nullcontext(sys.stdout.buffer) as stream:
            pyarrow.csv.write_csv(table, stream)
    else:
        with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as stream:
            if form == "json":
                json.dump(table.to_pylist(), stream, default=str, indent=1, ensure_ascii=False)
                stream.write("\n")
            else:
                Console(file=stream, width=None if stream.isatty() else WIDE).print(_drawn(table))


def _drawn(table: pa.Table) -> Table:
    drawn = Table(header_style="bold")
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        drawn.add_column(name, justify="right" if number else "left")
    for row in table.to_pylist():
        drawn.add_row(*(_cell(value) for value in row.values()))
    return drawn


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
