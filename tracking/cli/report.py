"""Reports on the command line: ROI under one model or all of them, how the desk did, the journey tables."""

import csv
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from attribution import MODELS
from reports.kpis import KPIS, Period, desk
from reports.roi import roi
from tracking import clock, db, journeys, money
from tracking.cli.installation import Day, Installation, fail, json_option, pass_installation
from tracking.config import Settings


@click.group()
def report() -> None:
    """Report what campaigns cost and earned."""


def _period_options(command: Any) -> Any:
    command = click.option("--to", "last", type=Day(), help="Last day covered; by default today.")(command)
    return click.option(
        "--from", "first", type=Day(), help="First day covered; by default a year before the last."
    )(command)


def _period(settings: Settings, first: date | None, last: date | None) -> Period:
    last = last or clock.now().astimezone(settings.zone).date()
    first = first or last - timedelta(days=364)
    try:
        return Period(first, last + timedelta(days=1), settings.zone)
    except ValueError:
        fail(f"--to {last} lies before --from {first}; exchange them")


@report.command("roi")
@click.option(
    "--model", "models", multiple=True, type=click.Choice(MODELS), help="Attribution model; repeatable."
)
@click.option("--compare", is_flag=True, help="All models side by side.")
@_period_options
@click.option(
    "--lookback",
    type=click.FloatRange(0, min_open=True),
    help="Days before a deal in which a touch earns credit.",
)
@click.option(
    "--format", "style", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@pass_installation
def roi_command(
    installation: Installation,
    models: tuple[str, ...],
    compare: bool,
    first: date | None,
    last: date | None,
    lookback: float | None,
    style: str,
) -> None:
    """Set each campaign's credited revenue against its cost.

    ROI is (revenue - cost) / cost. Revenue, leads and customers are credited by the model and add up to
    what was won in the period; revenue no touch preceded stands in a line of its own.
    """
    settings = installation.settings
    period = _period(settings, first, last)
    days = lookback or settings.lookback_days
    wanted = models or (MODELS if compare else ("linear",))
    with db.reading(installation.engine) as session:
        tables = journeys.export(session, currency=settings.currency)
    table = roi(tables, wanted, period, currency=settings.currency, lookback_days=days)
    if style == "json" or installation.as_json:
        installation.tell_json(_document(table, wanted, period, days, settings.currency))
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    elif compare or len(wanted) > 1:
        _show_compared(installation, table, wanted, period, days)
    else:
        _show(installation, table, period, days)


@report.command("kpis")
@_period_options
@json_option
@pass_installation
def kpis_command(installation: Installation, first: date | None, last: date | None) -> None:
    """Show how the telephone was attended and how often callers were asked where they heard of us."""
    settings = installation.settings
    period = _period(settings, first, last)
    with db.reading(installation.engine) as session:
        tables = journeys.export(session, currency=settings.currency)
    figures = desk(tables.calls, tables.answers, period)
    if installation.as_json:
        installation.tell_json({"from": period.start, "to": period.end - timedelta(days=1), **figures})
        return
    rows = [
        {"name": name.replace("_", " "), "figure": percent(value) if name.endswith("_rate") else str(value)}
        for name, value in figures.items()
    ]
    installation.show(rows, {"name": "Figure", "figure": ""}, f"The desk, {_span(period)}")
    for kpi in KPIS:
        if kpi.name in figures:
            click.echo(f"{kpi.label}: {kpi.formula}. It hides: {kpi.hides}.")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@pass_installation
def export(installation: Installation, folder: Path) -> None:
    """Write the journey tables to FOLDER as Parquet, for notebooks and `ringtrail attribute`."""
    with db.reading(installation.engine) as session:
        tables = journeys.export(session, currency=installation.settings.currency)
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables.__slots__:
        table: pa.Table = getattr(tables, name)
        pq.write_table(table, folder / f"{name}.parquet")
        click.echo(f"{folder / name}.parquet: {table.num_rows} rows")


def percent(share: float | None) -> str:
    """Write a share as a percentage, or a dash where it is undefined."""
    return "–" if share is None else f"{share:.2%}"


def amount(minor: float | None, currency: str) -> str:
    """Write an amount in whole units of its currency."""
    return "–" if minor is None else f"{money.to_major(round(minor), currency):,}"


def _span(period: Period) -> str:
    return f"{period.start} to {period.end - timedelta(days=1)}"


def _show(installation: Installation, table: pa.Table, period: Period, days: float) -> None:
    rows = []
    for line in table.to_pylist():
        code = line["currency"]
        rows.append(
            {
                "campaign": line["campaign"],
                "channel": line["channel"] or "",
                "cost": amount(line["cost_minor"], code),
                "indirect": amount(line["indirect_cost_minor"], code),
                "calls": line["calls"],
                "leads": line["leads"],
                "qualified": line["qualified_leads"],
                "customers": line["customers"],
                "revenue": amount(line["revenue_minor"], code),
                "roi": percent(line["roi"]),
                "roas": "–" if line["roas"] is None else f"{line['roas']:.2f}",
                "cpl": amount(line["cost_per_lead_minor"], code),
                "cac": amount(line["acquisition_cost_minor"], code),
                "rate": percent(line["lead_to_customer_rate"]),
            }
        )
    currency = table["currency"][0].as_py() if table.num_rows else installation.settings.currency
    headings = {
        "campaign": "Campaign",
        "channel": "Channel",
        "cost": f"Cost {currency}",
        "indirect": "of it indirect",
        "calls": "Calls",
        "leads": "Leads",
        "qualified": "Qualified",
        "customers": "Customers",
        "revenue": f"Revenue {currency}",
        "roi": "ROI",
        "roas": "ROAS",
        "cpl": "Cost/lead",
        "cac": "Cost/customer",
        "rate": "Lead to customer",
    }
    model = table["model"][0].as_py() if table.num_rows else "linear"
    installation.show(rows, headings, f"{model}, {_span(period)}, lookback {days:g} days")
    _explain_unattributed(table)


def _show_compared(
    installation: Installation, table: pa.Table, models: tuple[str, ...], period: Period, days: float
) -> None:
    lines: dict[str, dict[str, Any]] = {}
    for line in table.to_pylist():
        row = lines.setdefault(
            line["campaign"],
            {"campaign": line["campaign"], "cost": amount(line["cost_minor"], line["currency"])},
        )
        row[line["model"]] = f"{amount(line['revenue_minor'], line['currency'])} ({percent(line['roi'])})"
    order = sorted(lines, key=lambda c: (c == "(total)", c.startswith("("), c))
    headings = {"campaign": "Campaign", "cost": "Cost", **{model: model for model in models}}
    title = f"Revenue credited and ROI by model, {_span(period)}, lookback {days:g} days"
    installation.show([lines[c] for c in order], headings, title)


def _explain_unattributed(table: pa.Table) -> None:
    for line in table.to_pylist():
        if line["campaign"] == "(unattributed)":
            click.echo(
                f"{amount(line['revenue_minor'], line['currency'])} {line['currency']} was won from "
                "companies of which no touch is recorded in the lookback window."
            )


def _document(
    table: pa.Table, models: tuple[str, ...], period: Period, days: float, currency: str
) -> dict[str, Any]:
    return {
        "from": period.start,
        "to": period.end - timedelta(days=1),
        "time_zone": str(period.zone),
        "currency": currency,
        "models": list(models),
        "lookback_days": days,
        "rows": table.to_pylist(),
    }
