"""Documents for stakeholders: one story with its tables and charts, as HTML, as PDF and as a mail."""

import base64
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from reports import charts, extras, fonts, scale
from reports.logo import for_typst
from reports.parts import Block, Chapter, Chart, Column, Document, Figure, Figures, Points, Table, cell

_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "table": ' class="sums"',
        # Most cells are figures; those that are not say so, which is shorter.
        "headfigure": ' class="figure"',
        "cell": " class=words",
        "day": ' class="whole"',
        "moment": ' class="whole"',
        "total": ' class="total"',
        "title": ' class="decision"',
        "soft": ' class="soft"',
        "figures": ' class="figures"',
        "opening": ' class="opening"',
    }
)
# Mail programs drop style sheets, so what a mail looks like stands on its elements.
_EDGE = "padding:4px 8px;border-bottom:1px solid #d5d5d5;vertical-align:top;"
_STYLES: Mapping[str, str] = MappingProxyType(
    {
        "title": ' style="font-size:22px;margin:0 0 4px"',
        "chapter": ' style="font-size:18px;margin:24px 0 8px"',
        "heading": ' style="font-size:15px;margin:16px 0 4px"',
        "text": ' style="margin:0 0 10px"',
        "soft": ' style="margin:0 0 16px;color:#555555"',
        "table": ' style="border-collapse:collapse;margin:0 0 12px;font-size:13px"',
        "head": f' style="{_EDGE}text-align:left;background:#f2f2f2"',
        "headfigure": f' style="{_EDGE}text-align:right;background:#f2f2f2"',
        "row": f' style="{_EDGE}text-align:left;font-weight:normal"',
        "cell": f' style="{_EDGE}"',
        "figure": f' style="{_EDGE}text-align:right;white-space:nowrap"',
        "day": f' style="{_EDGE}white-space:nowrap"',
        "moment": f' style="{_EDGE}white-space:nowrap"',
        "total": ' style="font-weight:bold"',
    }
)
_MAILED = ' style="font-family:Helvetica,Arial,sans-serif;font-size:14px;line-height:1.45;color:#1b1b1b"'


def html(document: Document) -> str:
    """Return a document as one HTML file that needs no other: charts and looks are inside, no script is.

    Parameters
    ----------
    document : Document
        What to write.

    Returns
    -------
    str
        A whole page. Whatever users typed is text in it and never markup.
    """
    style = files("reports").joinpath("document.css").read_text()
    return _page(document, _CLASSES, style=style, attributes="")


def body(document: Document, draw: Callable[[Chart, str], str]) -> str:
    """Return the inside of that page, to be shown within another one that brings its own looks.

    Parameters
    ----------
    document : Document
        What to write.
    draw : callable
        Returns the HTML of a chart; is given an id for it. The id of its table is ``table-`` and the
        table's name.

    Returns
    -------
    str
        HTML without style and script. The annex is folded away, and shows when printed.
    """
    made = _template("document_body.html").render(folded=True, top=2, **_parts(document, _CLASSES, draw))
    # HTML lets the ends of cells and rows go unsaid; in a long report they would be a tenth of the page.
    return re.sub(r"</t[dhr]>", "", str(made))


def mail(document: Document) -> str:
    """Return a document as the HTML of a mail, every element with its own style.

    Parameters
    ----------
    document : Document
        What to write; :meth:`Document.brief` of the whole.

    Returns
    -------
    str
        A whole page.
    """
    return _page(document, _STYLES, style="", attributes=_MAILED)


def text(document: Document) -> str:
    """Return a document as plain text for a mail: a line for each row of a table.

    Parameters
    ----------
    document : Document
        What to write; :meth:`Document.brief` of the whole.

    Returns
    -------
    str
        Lines ended by line feeds.
    """
    lines = [
        *filter(None, [document.supplier]),
        document.title,
        document.subtitle,
        *(["", document.headline] if document.headline else []),
    ]
    for chapter in [*document.chapters, *document.annex]:
        if chapter.title:
            lines += ["", chapter.title, "-" * _width(chapter.title)]
        for block in chapter.blocks:
            lines += ["", *_lines(document, block)]
    return "\n".join(lines) + "\n"


def pdf(document: Document) -> bytes:
    """Return a document as PDF on A4, tagged for screen readers, its words and charts as text.

    Parameters
    ----------
    document : Document
        What to write. It goes to Typst as data and never as markup.

    Returns
    -------
    bytes
        The file; the same document gives the same file.

    Raises
    ------
    reports.extras.DocumentsMissing
        If the extra ``documents`` is not installed.
    """

    def laid_out(chapters: Sequence[Chapter]) -> list[dict[str, Any]]:
        return [
            {"title": c.title, "blocks": [_laid_out(document, block) for block in c.blocks]} for c in chapters
        ]

    told = {
        "title": document.title,
        "headline": document.headline,
        "subtitle": document.subtitle,
        "language": document.language.partition("-")[0],
        "chapters": laid_out(document.chapters),
        "annex": laid_out(document.annex),
        "annex_title": document.annex_title,
    }
    source = files("reports").joinpath("document.typ").read_bytes()
    made = extras.load("typst").compile(
        source,
        sys_inputs={
            "document": json.dumps(told),
            "fonts": json.dumps(fonts.FAMILIES),
            "supplier": for_typst(document.supplier, document.logo),
        },
        font_paths=fonts.for_documents(),
        timestamp=int(document.made_at.timestamp()),
    )
    assert isinstance(made, bytes)
    return made


def picture(chart: Chart) -> str:
    """Return a chart as SVG, drawn once for as long as memory lasts.

    Parameters
    ----------
    chart : Chart
        What to draw.

    Returns
    -------
    str
        The picture.
    """
    return _drawn(json.dumps(chart.spec, sort_keys=True))


def photograph(chart: Chart) -> io.BytesIO:
    """Return a chart as PNG, for programs that show no SVG.

    Parameters
    ----------
    chart : Chart
        What to draw.

    Returns
    -------
    io.BytesIO
        The picture.
    """
    return io.BytesIO(charts.png(chart.spec))


@lru_cache(maxsize=64)
def _drawn(spec: str) -> str:
    return charts.svg(json.loads(spec))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def _template(name: str) -> Any:
    return _environment().get_template(name)


def _page(document: Document, look: Mapping[str, str], *, style: str, attributes: str) -> str:
    parts = _parts(document, look, _embedded)
    return str(_template("document.html").render(style=style, attributes=attributes, top=1, **parts))


def _embedded(chart: Chart, _: str) -> str:
    coded = base64.b64encode(picture(chart).encode()).decode()
    drawn = Markup('<figure class="picture"><img src="data:image/svg+xml;base64,{}" alt="{}"></figure>')
    return drawn.format(coded, chart.title)


def _parts(document: Document, look: Mapping[str, str], draw: Callable[[Chart, str], str]) -> dict[str, Any]:
    kinds = {Points: "points", Figures: "figures", Table: "table", Chart: "chart"}
    return {
        "document": document,
        "kind": lambda block: kinds.get(type(block), "text"),
        "written": lambda column, row: _shown(document, cell(column, row)),
        "figure": lambda figure: _written(document, figure),
        "axis": lambda: Markup(_axis(document)),  # noqa: S704  # our own figures
        "is_figure": _is_figure,
        "draw": draw,
        "look": lambda name: look.get(name, ""),
    }


def _written(document: Document, figure: Figure) -> str:
    if figure.unit == "text":
        return "" if figure.value is None else str(figure.value)
    return document.write(figure.unit, figure.value)


def _shown(document: Document, figure: Figure) -> str:
    if figure.unit == "span":
        return Markup(scale.row(figure.value, _steps(document)))  # noqa: S704  # nothing in it comes from a user
    return _written(document, figure)


def _axis(document: Document) -> str:
    return scale.axis(lambda back: document.write("back", back), _steps(document))


def _steps(document: Document) -> Sequence[float]:
    drawn = ((t, column.name) for t in document.tables for column in t.columns if column.unit == "span")
    return scale.steps_of(row[name] for table, name in drawn for row in table.rows)


def _is_figure(column: Column) -> bool:
    return column.unit not in ("text", "span", "day", "moment")


def _lines(document: Document, block: Block) -> Iterator[str]:
    match block:
        case str():
            yield block
        case Points():
            if block.title:
                yield f"{block.title}:"
            yield from (f"* {point}" for point in block.texts)
        case Figures():
            for label, figure, words in block.items:
                yield f"* {label}: {_written(document, figure)}{f' ({words})' if words else ''}"
        case Table():
            yield f"{block.title}:"
            first, *others = block.told.columns
            for row in block.rows:
                told = [(c.label, _written(document, cell(c, row))) for c in others]
                # Of one figure the title has said what it is.
                named = [words if len(others) == 1 else f"{label} {words}" for label, words in told if words]
                rest = "; ".join(named)
                yield f"* {_written(document, cell(first, row))}: {rest}"


def _laid_out(document: Document, block: Block) -> dict[str, Any]:
    match block:
        case str():
            return {"kind": "text", "text": block}
        case Points():
            return {"kind": "points", "title": block.title, "texts": list(block.texts)}
        case Figures():
            items = [[label, _written(document, figure), words] for label, figure, words in block.items]
            return {"kind": "figures", "items": items}
        case Chart():
            return {"kind": "chart", "svg": picture(block), "title": block.title, "note": block.note}
        case Table():
            heads = [column.label.replace(" %", "\N{NO-BREAK SPACE}%") for column in block.columns]
            right = [_is_figure(column) for column in block.columns]
            drawn = next((place for place, c in enumerate(block.columns) if c.unit == "span"), -1)
            if drawn >= 0:
                heads[drawn] = _axis(document)
            rows = [[_shown(document, cell(c, row)) for c in block.columns] for row in block.rows]
            # A figure is never broken between its digits and its unit.
            rows = [
                [w.replace(" ", "\N{NO-BREAK SPACE}") if r else w for w, r in zip(row, right, strict=True)]
                for row in rows
            ]
            return {
                "kind": "table",
                "title": block.title,
                "heads": heads,
                "right": right,
                "drawn": drawn,
                "rows": rows,
                "total": block.total,
            }


def _width(words: str) -> int:
    """Return how many places of a line words take; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)
