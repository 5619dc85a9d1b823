"""How many numbers a pool needs and how many people a telephone desk, on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from reports import extras
from simulator.erlang import mean_wait
from simulator.sizing import Size, desk_for, pool_for
from tracking.cli.installation import (
    Installation,
    Number,
    Whole,
    console,
    fail,
    json_option,
    pass_installation,
)

_BAR = 40
_MOST_AN_HOUR = 1_000_000
_WEEK = 7 * 24 * 60
_seed_option = click.option(
    "--seed", type=Whole(0), default=0, show_default=True, help="Seed of the simulation."
)
_chart_option = click.option(
    "--chart",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Chart file to write (.json, .svg or .png).",
)


@click.command("size-pool")
@click.option(
    "--views-per-hour",
    type=Number(0, _MOST_AN_HOUR, min_open=True),
    required=True,
    help="Page views in the busiest hour.",
)
@click.option(
    "--delay-minutes",
    type=Number(0, _WEEK, min_open=True),
    default=60.0,
    show_default=True,
    help="Longest time from visit to call to cover, such as the 95th percentile.",
)
@click.option(
    "--loss",
    type=Number(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Accepted share of calls credited to another visitor.",
)
@_seed_option
@_chart_option
@json_option
@pass_installation
def size_pool(
    installation: Installation,
    views_per_hour: float,
    delay_minutes: float,
    loss: float,
    seed: int,
    chart: Path | None,
) -> None:
    """Calculate how many numbers a visitor pool needs.

    A call is lost if its number has been shown to another visitor in the meantime. The pool always shows the
    number that was unused longest. Page views are assumed to come at random at a steady rate.
    """
    sizes = _sizes(lambda: pool_for(views_per_hour, delay_minutes / 60, loss, seed=seed))
    _show_sizes(installation, sizes, loss, "numbers", "calls credited to another visitor", chart)


@click.command("size-desk")
@click.option(
    "--calls-per-hour",
    type=Number(0, _MOST_AN_HOUR, min_open=True),
    required=True,
    help="Calls in the busiest hour.",
)
@click.option(
    "--talk-minutes",
    type=Number(0, _WEEK, min_open=True),
    default=4.0,
    show_default=True,
    help="Average minutes per call, including after-call work.",
)
@click.option(
    "--loss",
    type=Number(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    help="Accepted share of callers who find all lines busy.",
)
@click.option("--queue", is_flag=True, help="Callers who find all lines busy wait instead of hanging up.")
@_seed_option
@_chart_option
@json_option
@pass_installation
def size_desk(
    installation: Installation,
    calls_per_hour: float,
    talk_minutes: float,
    loss: float,
    queue: bool,
    seed: int,
    chart: Path | None,
) -> None:
    """Calculate how many people a phone desk needs.

    By default, callers who find all lines busy hang up and do not try again (Erlang B). With --queue, they
    all wait (Erlang C).
    """
    sizes = _sizes(lambda: desk_for(calls_per_hour, talk_minutes, loss, queue=queue, seed=seed))
    measure = "callers who have to wait" if queue else "callers who find all lines busy"
    _show_sizes(installation, sizes, loss, "people", measure, chart)
    if queue and not installation.as_json:
        needed = next(size.count for size in sizes if size.theory <= loss)
        wait = mean_wait(needed, calls_per_hour * talk_minutes / 60, talk_minutes * 60)
        click.echo(f"Callers wait {wait:.1f} s on average, including those who do not have to wait.")


def _sizes(find: Callable[[], list[Size]]) -> list[Size]:
    try:
        return find()
    except ValueError as error:
        fail(f"{error}; use smaller figures")


def _show_sizes(
    installation: Installation, sizes: list[Size], loss: float, unit: str, measure: str, chart: Path | None
) -> None:
    needed = next(size.count for size in sizes if size.theory <= loss)
    if chart is not None:
        _write_chart(chart, sizes, loss, unit, measure)
    rows = [
        {unit: size.count, "theory": size.theory, "simulated": size.simulated, "error": size.error}
        for size in sizes
    ]
    if installation.as_json:
        installation.tell_json({"needed": needed, "loss": loss, "sizes": rows})
        return
    click.echo(f"{needed} {unit} keep the share of {measure} at or below {loss:.2%}.")
    click.echo(f"{unit:>7}   theory  simulated ± error")
    largest = max(size.theory for size in sizes)
    for size in sizes:
        bar = "█" * round(_BAR * size.theory / largest)
        mark = "←" if size.count == needed else " "
        console().print(
            f"{size.count:>7} {size.theory:>8.2%} {size.simulated:>10.2%} ± {size.error:>5.2%} {mark} {bar}",
            highlight=False,
        )


def _write_chart(path: Path, sizes: list[Size], loss: float, unit: str, measure: str) -> None:
    values = [
        {"size": size.count, "share": share, "by": by}
        for size in sizes
        for by, share in (("theory", size.theory), ("simulation", size.simulated))
    ]
    share = {
        "field": "share",
        "type": "quantitative",
        "title": f"share of {measure}",
        "axis": {"format": "%"},
    }
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": 480,
        "height": 280,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "line", "point": True},
                "encoding": {
                    "x": {"field": "size", "type": "quantitative", "title": unit, "scale": {"zero": False}},
                    "y": share,
                    "color": {"field": "by", "type": "nominal", "title": None},
                    "strokeDash": {"field": "by", "type": "nominal", "title": None},
                },
            },
            {"mark": {"type": "rule", "color": "grey"}, "encoding": {"y": {"datum": loss}}},
        ],
    }
    if path.suffix == ".json":
        path.write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        return
    if path.suffix == ".svg":
        path.write_text(extras.load("vl_convert").vegalite_to_svg(spec), encoding="utf-8")
    elif path.suffix == ".png":
        path.write_bytes(extras.load("vl_convert").vegalite_to_png(spec))
    else:
        fail(f"{path.name}: use a file name that ends in .json, .svg or .png")
