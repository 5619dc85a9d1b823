"""What a document is made of: chapters with tables, charts and figures, each with its unit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from reports.charts import Spec
from reports.logo import Logo

Unit = Literal[
    "text", "money", "share", "chance", "change", "ratio", "back", "span", "count", "months", "day", "moment"
]
"""What a cell holds: words; minor units of the document's currency; a fraction; a probability; a fraction by
which a figure rose or fell; a plain figure; what each 1 spent brought back; a picture of that, a
:class:`reports.scale.Span`; a count that may be a fraction; months; a date; an aware datetime."""

Write = Callable[[Unit, Any], str]
"""Writes a figure as the reader's language does."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A cell whose unit is its own, in a table whose rows hold figures of several kinds.

    Parameters
    ----------
    unit : Unit
        What it is.
    value : object
        The figure; None where it is unknown.
    """

    unit: Unit
    value: Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
        What it is called in files that programs read; the same in every language.
    label : str
        Its heading for people.
    unit : Unit, default "text"
        What its cells hold.
    """

    name: str
    label: str
    unit: Unit = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its heading.

    Parameters
    ----------
    name : str
        What it is called in files that programs read: letters, digits and hyphens.
    title : str
        Its heading for people.
    columns : sequence of Column
        The first one says what a row is about.
    rows : sequence of mapping
        Column name to value; None, or no such name, where nothing is known.
    total : bool, default False
        Whether the last row adds the others up.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    total: bool = False

    @property
    def told(self) -> "Table":
        """Return the table without its pictures, for whatever shows none."""
        return replace(self, columns=[column for column in self.columns if column.unit != "span"])


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart; a table of the document holds the same figures.

    Parameters
    ----------
    title : str
        What it shows, for those who cannot see it too.
    spec : dict
        From `reports.charts`.
    table : str
        The name of the table that holds the same figures.
    note : str, default ""
        How to read it, where that needs to be said.
    """

    title: str
    spec: Spec
    table: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences.

    Parameters
    ----------
    texts : sequence of str
        One point each.
    title : str, default ""
        What they are about.
    """

    texts: Sequence[str]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """A strip of the figures that matter.

    Parameters
    ----------
    items : sequence of (str, Figure, str)
        What it is, the figure, and words that set it right; "" where there are none.
    """

    items: Sequence[tuple[str, Figure, str]]


Block = str | Points | Figures | Table | Chart
"""What a chapter is made of; a str is a paragraph."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the story.

    Parameters
    ----------
    title : str
        Its heading; "" for what follows the title of the document.
    blocks : sequence of Block
        What it says, in order.
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A report, every word in the reader's language.

    Parameters
    ----------
    title, subtitle : str
        What it is about.
    language : str
        Its language as browsers and screen readers know it, such as "zh-Hans".
    currency : str
        ISO 4217 code of all money.
    decimals : int
        How many of the digits of minor units are decimals, 0 to 4.
    made_at : datetime
        As of when the data are.
    chapters : sequence of Chapter
        The story.
    write : Write
        How figures are written.
    supplier : str
        Whose report it is; empty where nobody has said.
    logo : Logo, optional
        The supplier's logo.
    headline : str, default ""
        The answer in one sentence, the largest words of the document; "" where it has none.
    annex : sequence of Chapter, default ()
        What it rests on, for whoever wants to look it up: folded away on a page, left out of mails.
    annex_title : str, default ""
        What that is called.
    """

    title: str
    subtitle: str
    language: str
    currency: str
    decimals: int
    made_at: datetime
    chapters: Sequence[Chapter]
    write: Write
    supplier: str = ""
    logo: Logo | None = None
    headline: str = ""
    annex: Sequence[Chapter] = ()
    annex_title: str = ""

    @property
    def tables(self) -> list[Table]:
        """Return all tables, those of the story first."""
        every = [*self.chapters, *self.annex]
        return [block for chapter in every for block in chapter.blocks if isinstance(block, Table)]

    def told(self, instead: Callable[[Chart], str]) -> "Document":
        """Return the document with words in the place of each chart.

        Parameters
        ----------
        instead : callable
            Returns the paragraph that stands for a chart.

        Returns
        -------
        Document
            The same otherwise.
        """

        def words(chapters: Sequence[Chapter]) -> list[Chapter]:
            return [
                replace(each, blocks=[instead(b) if isinstance(b, Chart) else b for b in each.blocks])
                for each in chapters
            ]

        return replace(self, chapters=words(self.chapters), annex=words(self.annex))

    def brief(self) -> "Document":
        """Return the document as mails tell it: the story without pictures, and no annex.

        Returns
        -------
        Document
            Chapters that are empty then are gone.
        """
        kept = [
            replace(
                chapter,
                blocks=[
                    b.told if isinstance(b, Table) else b for b in chapter.blocks if not isinstance(b, Chart)
                ],
            )
            for chapter in self.chapters
        ]
        return replace(self, chapters=[chapter for chapter in kept if chapter.blocks], annex=(), logo=None)


def cell(column: Column, row: Mapping[str, Any]) -> Figure:
    """Return what a row holds in a column, with its unit.

    Parameters
    ----------
    column : Column
        Which.
    row : mapping
        A row of its table.

    Returns
    -------
    Figure
        The row's own figure, or its value in the unit of the column.
    """
    value = row.get(column.name)
    return value if isinstance(value, Figure) else Figure(column.unit, value)
