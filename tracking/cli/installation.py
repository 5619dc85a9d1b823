"""What every command shares: the installation it works on, how it prints, how it fails.

Read for ``ringtrail --help`` too, so what is heavy is imported where it is used.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from tracking.storage.config import Settings

USAGE = 2


@dataclass
class Installation:
    """One installation, opened when a command first needs it."""

    as_json: bool = False
    away: Exception | None = None
    """Why the database did not answer when the settings were read."""

    @cached_property
    def settings(self) -> Settings:
        """Return the settings in force: those of the environment, and those that the database keeps."""
        from sqlalchemy.exc import SQLAlchemyError

        from tracking.errors import Invalid
        from tracking.storage import db, kept
        from tracking.storage.config import Settings
        from tracking.telephony import providers

        settings = Settings.load(elsewhere=[f"RINGTRAIL_{name.upper()}_" for name in providers.names()])
        kept.recall(settings)
        if db.may_be_there(settings):
            # Whoever needs the database is told what is wrong with it; without it the copy has to do.
            with suppress(Invalid):
                try:
                    engine = db.open_installed(settings)
                    with db.reading(engine) as session:
                        kept.refresh(session, settings)
                except SQLAlchemyError as error:
                    self.away = error
                else:
                    self.__dict__["engine"] = engine
        return settings

    @cached_property
    def engine(self) -> Engine:
        """Return the database, whose schema and key must be the right ones."""
        from tracking.storage import db

        settings = self.settings
        if self.away is not None:
            # Asked once: each try may take seconds, and calls wait for the service to start.
            raise self.away
        return db.open_installed(settings)

    def show(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str],
        title: str = "",
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Print rows as a table, or as JSON where ``--json`` was given; ``columns`` maps keys to headings.

        A table has channels in words, as the pages have, and the values of other columns as ``words`` says.
        """
        if self.as_json:
            self.tell_json([{key: row.get(key) for key in columns} for row in rows])
            return
        if title:
            click.echo(title)
        from rich.table import Table

        from tracking.language import channels

        def cell(key: str, value: Any) -> str:
            if key == "channel":
                return channels.word(value)
            return _text(words[key].get(value, value) if words and key in words else value)

        table = Table(header_style="bold")
        for key, heading in columns.items():
            numeric = any(isinstance(row.get(key), int | float | Decimal) for row in rows)
            # Folded rather than cut: a figure without its last digits is another figure.
            table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(cell(key, row.get(key)) for key in columns))
        console().print(table)

    def tell(self, message: str, **facts: Any) -> None:
        """Print one sentence, or its facts as JSON."""
        if self.as_json:
            self.tell_json(facts or {"message": message})
        else:
            click.echo(message)

    def tell_json(self, value: Any) -> None:
        """Print a value as JSON."""
        click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


pass_installation = click.make_pass_decorator(Installation, ensure=True)


def console() -> Console:
    """Return a console that writes plain text where nobody watches, and no colour under NO_COLOR."""
    from rich.console import Console

    # Piped output is not wrapped at 80 columns: a reader after us would see torn lines.
    # What others have written is text: "[/b]" in the name of a company is no markup, and ":)" no picture.
    return Console(width=None if sys.stdout.isatty() else 280, highlight=False, markup=False, emoji=False)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` to a command."""

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.ensure_object(Installation).as_json |= value

    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="Print JSON instead of a table."
    )
    return option(command)


def counted(number: float, one: str, several: str = "") -> str:
    """Return a number with its noun, such as ``1 row`` and ``2,000 rows``; ``several`` is an odd plural."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def fail(message: str, code: int = USAGE) -> NoReturn:
    """End with a message on the error stream."""
    click.echo(f"ringtrail: {message}", err=True)
    raise SystemExit(code)


class Moment(click.ParamType[datetime]):
    """A day or a time; without an offset it is in the installation's time zone."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ISO 8601."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a date or time; use 2026-03-01 or 2026-03-01T09:30+01:00", param, ctx
            )
        if moment.tzinfo is None:
            zone = ctx.ensure_object(Installation).settings.zone if ctx else UTC
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)


_MOST = 2**31 - 1
"""The largest number that databases count by, and more than a simulation takes."""


def _within(kind: click.IntRange | click.FloatRange) -> str:
    """Return in words between what a number has to lie."""
    least = "" if kind.min is None else f"{'more than' if kind.min_open else 'at least'} {kind.min:,}"
    most = kind.max if kind.max is not None else _MOST if isinstance(kind, Whole) else None
    return " and ".join(filter(None, (least, "" if most is None else f"at most {most:,}")))


class Number(click.FloatRange):
    """A number within bounds, and neither endless nor none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read digits."""
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number; use digits, such as 30 or 2.5", param, ctx)
        try:
            return float(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value} is out of range; enter {_within(self)}", param, ctx)


class Whole(click.IntRange):
    """A whole number within bounds, and none that nothing could count."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read digits."""
        beyond = click.INT.convert(value, param, ctx) > _MOST
        try:
            number = int(super().convert(value, param, ctx))
        except click.BadParameter:
            beyond = True
        if beyond:
            self.fail(f"{value} is out of range; enter {_within(self)}", param, ctx)
        return number


IDENTIFIER = Whole(1)
"""Number of a record, as the database counts them."""


class Day(click.ParamType[date]):
    """A day, written 2026-03-01."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read ISO 8601."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; use 2026-03-01", param, ctx)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)
