"""Reports on the command line: ROI under one model or all of them, how the desk did, the journey tables."""

import csv
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from attribution import UNATTRIBUTED
from reports.cells import harmless
from reports.evidence import LEAST_DEALS_IN_ALL, Standing
from reports.kpis import KPIS, Period
from reports.roi import TOTAL
from simulator import which_model
from tracking import clock
from tracking.access import audit
from tracking.cli.installation import (
    Day,
    Installation,
    Number,
    console,
    counted,
    json_option,
    pass_installation,
)
from tracking.language import formatting
from tracking.records import rates
from tracking.reporting import deciding, journeys, landing, roi, snapshots
from tracking.reporting.credit import GROUPS, Window
from tracking.reporting.roi import RoiReport
from tracking.storage import db, money
from tracking.storage.config import LONGEST_LOOKBACK_DAYS


def _period_options(command: Any) -> Any:
    command = click.option("--to", "last", type=Day(), help="Last day (default: today).")(command)
    return click.option(
        "--from", "first", type=Day(), help="First day (default: a year before the last day)."
    )(command)


@click.command("roi")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(roi.REPORTED),
    help="Attribution model (repeatable).",
)
@click.option("--compare", is_flag=True, help="Compare all models side by side.")
@_period_options
@click.option(
    "--lookback",
    type=Number(0, LONGEST_LOOKBACK_DAYS, min_open=True),
    help="Lookback window in days.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output format.",
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
    """Compare each campaign's credited revenue with its cost.

    ROI is (credited revenue - cost) / cost, also for the total; marketing efficiency is all revenue per 1
    spent. Revenue, leads and customers add up to the totals of the period. Revenue without a recorded touch
    is shown as unattributed. The default model is set with `ringtrail report model`.
    """
    settings, at = installation.settings, clock.now()
    today = at.astimezone(settings.zone).date()
    with db.reading(installation.engine) as session:
        decides = deciding.current(session, settings, today)
        result = roi.roi_report(
            snapshots.whole(session, settings, at=at),
            settings,
            # The model that decides comes first: what is connected is told under it, as on the pages.
            models or (decides.model, *(roi.REPORTED if compare else ())),
            today=today,
            first=first,
            last=last,
            lookback_days=lookback,
        )
    if style == "json" or installation.as_json:
        installation.tell_json(_document(result))
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.table.column_names)
        for row in zip(*(column.to_pylist() for column in result.table.columns), strict=True):
            writer.writerow([harmless(cell) for cell in row])
    elif len(result.models) > 1:
        _show_compared(installation, result)
    else:
        _show(installation, result)
    if style == "table" and not installation.as_json:
        _show_connected(result)
    if compare or len(result.models) > 1:
        for each in which_model.advised_against(result.models, decides.deals):
            click.echo(
                f"{each.model} is not recommended: in one of the simulated markets it misattributes "
                f"{percent(each.worst.wrong)} of the margin.",
                err=True,
            )
    for model, reason in result.unavailable.items():
        click.echo(f"{model} could not be calculated: {reason}", err=True)


@click.command("kpis")
@_period_options
@json_option
@pass_installation
def kpis_command(installation: Installation, first: date | None, last: date | None) -> None:
    """Show answer rate, missed calls and ask rate."""
    settings, at = installation.settings, clock.now()
    period = roi.period_of(settings, at.astimezone(settings.zone).date(), first, last)
    with db.reading(installation.engine) as session:
        figures = roi.attended(snapshots.whole(session, settings, at=at), period)
    if installation.as_json:
        installation.tell_json({"from": period.start, "to": period.end - timedelta(days=1), **figures})
        return
    # As the pages call them; the other names say what they are.
    words = {kpi.name: kpi.label for kpi in KPIS}
    words |= {"qualifying_calls": "Eligible calls", "answer_rate": "Share who answered the question"}
    rows = [
        {
            "name": words.get(name, name.capitalize()),
            "figure": percent(value) if name.endswith("_rate") else str(value),
        }
        for name, value in figures.items()
    ]
    installation.show(rows, {"name": "Metric", "figure": ""}, f"Call desk, {_span(period)}")
    for kpi in KPIS:
        if kpi.name in figures:
            click.echo(f"{kpi.label}: {kpi.formula}. Limitation: {kpi.hides}.")


@click.command("landing")
@click.option(
    "--by",
    type=click.Choice(list(landing.By)),
    default=landing.By.landing_page,
    show_default=True,
    help="Landing pages, or UTM tags.",
)
@click.option("--model", type=click.Choice(GROUPS["rules"]), help="Attribution model.")
@_period_options
@json_option
@pass_installation
def landing_command(
    installation: Installation, by: str, model: str | None, first: date | None, last: date | None
) -> None:
    """Show the leads, deals and revenue credited to landing pages or UTM tags."""
    settings, at = installation.settings, clock.now()
    today = at.astimezone(settings.zone).date()
    period = roi.period_of(settings, today, first, last)
    with db.reading(installation.engine) as session:
        used = landing.model_for(model or deciding.current(session, settings, today).model)
        window = Window(settings.lookback_days, settings.half_life_days)
        taken = snapshots.whole(session, settings, at=at)
        lines = landing.brought(session, taken, period, used, window, landing.By(by))
    rows = [
        {
            "of": line.of,
            "touches": line.touches,
            "companies": line.companies,
            "leads": round(line.leads, 2),
            "deals": round(line.deals, 2),
            "revenue": money.to_major(line.credit_minor, settings.currency),
        }
        for line in lines
    ]
    named = {"of": "Landing page" if by == landing.By.landing_page else "UTM tags", "touches": "Touches"}
    named |= {"companies": "Companies", "leads": "Leads", "deals": "Deals", "revenue": "Credited revenue"}
    title = f"Touches of known companies under {used}, {_span(period)}, {settings.currency}"
    installation.show(rows, named, title)


@click.command("model")
@click.argument("model", required=False, type=click.Choice(deciding.CHOICES))
@click.option("--recommended", is_flag=True, help="Use the model recommended by tests on simulated markets.")
@pass_installation
def model_command(installation: Installation, model: str | None, recommended: bool) -> None:
    """Show or set the default MODEL.

    Every page, report and file uses it unless you choose another there.
    """
    settings, at = installation.settings, clock.now()
    if model and recommended:
        raise click.UsageError("use a model or --recommended, not both")
    with db.transaction(installation.engine) as session, formatting.speaking(settings, "en"):
        if model or recommended:
            deciding.choose(session, model)
            audit.note(session, "terminal", "model choose", model or "recommended", at=at)
        now = deciding.current(session, settings, at.astimezone(settings.zone).date())
        click.echo(f"{now.model}: {deciding.reason(now)}")
        for sentence in deciding.warnings(now, (now.model,)):
            click.echo(sentence)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@pass_installation
def export(installation: Installation, folder: Path) -> None:
    """Export the journey tables to FOLDER as Parquet, for notebooks and `ringtrail attribute`."""
    currency, zone = installation.settings.currency, installation.settings.zone
    with db.reading(installation.engine) as session:
        tables = journeys.export(session, currency=currency, zone=zone)
        tables = journeys.with_opportunities(session, tables, currency=currency)
    with db.transaction(installation.engine) as session:
        audit.note(session, "terminal", "journeys export", at=clock.now())
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables.__slots__:
        table: pa.Table = getattr(tables, name)
        pq.write_table(table, folder / f"{name}.parquet")
        click.echo(f"{folder / name}.parquet: {counted(table.num_rows, 'row')}")


@click.command("rate")
@click.argument("code", metavar="CURRENCY")
@click.argument("day", type=Day())
@click.argument("rate", type=Number())
@pass_installation
def rate_command(installation: Installation, code: str, day: date, rate: float) -> None:
    """Set the exchange rate: from DAY, 1 CURRENCY = RATE in the report currency."""
    target = installation.settings.currency
    with db.transaction(installation.engine) as session:
        row, _ = rates.save(session, code, day, rate, target=target)
    click.echo(f"1 {row.currency} = {row.rate} {target} from {row.day}")


def percent(share: float | None) -> str:
    """Write a share as a percentage, or a dash where it is undefined."""
    return "–" if share is None else f"{share:.2%}"


def amount(minor: float | None, currency: str) -> str:
    """Write an amount in whole units of its currency."""
    return "–" if minor is None else f"{money.to_major(round(minor), currency):,}"


def _ratio(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2f}"


def _whole(minor: int, currency: str) -> str:
    # Side by side there is no room for cents; one model alone shows them.
    return f"{round(money.to_major(minor, currency)):,}"


def _span(period: Period) -> str:
    return f"{period.start} to {period.end - timedelta(days=1)}"


def _show(installation: Installation, result: RoiReport) -> None:
    code = result.currency
    rows = [
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
            "roas": _ratio(line["roas"]),
            "efficiency": _ratio(line["marketing_efficiency"]),
            "cpl": amount(line["cost_per_lead_minor"], code),
            "cac": amount(line["acquisition_cost_minor"], code),
            "rate": _ratio(line["customers_per_lead"]),
        }
        for line in result.table.to_pylist()
    ]
    headings = {
        "campaign": "Campaign",
        "channel": "Channel",
        "cost": f"Cost {code}",
        "indirect": "of which indirect",
        "calls": "Calls",
        "leads": "Leads",
        "qualified": "Qualified",
        "customers": "Customers",
        "revenue": f"Revenue {code}",
        "roi": "ROI",
        "roas": "ROAS",
        "efficiency": "Marketing efficiency",
        "cpl": "Cost/lead",
        "cac": "Cost/customer",
        "rate": "Customers per lead",
    }
    installation.show(
        rows, headings, f"{result.models[0]}, {_span(result.period)}, lookback {_days(result.lookback_days)}"
    )
    for line in result.table.to_pylist():
        if line["campaign"] == UNATTRIBUTED:
            click.echo(
                f"{amount(line['revenue_minor'], code)} {code} came from companies without a recorded "
                "touch in the lookback window."
            )


def _days(number: float) -> str:
    return f"{number:g} {'day' if number == 1 else 'days'}"


def _show_connected(result: RoiReport) -> None:
    whole = result.evidence.coverage
    click.echo(
        f"Connected to campaigns: {percent(whole.revenue.share)} of the revenue, "
        f"{percent(whole.calls.share)} of the calls, {percent(whole.deals.share)} of the deals."
    )
    if result.connected["unconnected"]:
        names = ", ".join(result.connected["unconnected"])
        click.echo(f"Cannot tell, because nothing connects them to a call: {names}. Assign numbers to them.")
    standing = result.evidence.whole()
    if standing is Standing.nothing:
        click.echo("We cannot tell which campaigns pay off: no revenue is connected to a campaign.")
    elif standing is Standing.few_in_all:
        click.echo(
            f"Too early to tell which campaigns pay off. Deals connected to campaigns: "
            f"{whole.deals.connected:g} of {LEAST_DEALS_IN_ALL:g} needed."
        )


def _show_compared(installation: Installation, result: RoiReport) -> None:
    lines: dict[str, dict[str, Any]] = {}
    for line in result.table.to_pylist():
        row = lines.setdefault(
            line["campaign"],
            {"campaign": line["campaign"], "cost": _whole(line["cost_minor"], result.currency)},
        )
        share = "–" if line["roi"] is None else f"{line['roi']:.0%}"
        row[line["model"]] = f"{_whole(line['revenue_minor'], result.currency)}\n{share}"
    order = sorted(lines, key=lambda c: (c == TOTAL, c.startswith("("), c))
    title = (
        f"Revenue credited ({result.currency}) and ROI by model, {_span(result.period)}, "
        f"lookback {_days(result.lookback_days)}"
    )
    # As many models side by side as the terminal holds, the others below.
    abreast = max(2, (console().width - 36) // 14)
    for first in range(0, len(result.models), abreast):
        models = result.models[first : first + abreast]
        # A hyphen is no place to break a line for the table printer, a blank is.
        headings = {"campaign": "Campaign", "cost": "Cost"} | {m: m.replace("-", " ") for m in models}
        installation.show([lines[c] for c in order], headings, title if first == 0 else "")


def _document(result: RoiReport) -> dict[str, Any]:
    return {
        "from": result.period.start,
        "to": result.last_day,
        "time_zone": str(result.period.zone),
        "currency": result.currency,
        "models": list(result.models),
        "unavailable": result.unavailable,
        "lookback_days": result.lookback_days,
        "connected": result.connected,
        "rows": result.table.to_pylist(),
    }
