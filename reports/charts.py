"""Tables as pictures: one Vega-Lite specification for a page, a PNG, an SVG and a document."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from reports import extras, fonts

Spec = dict[str, Any]
Words = Mapping[str, str]

# Distinguishable for colour-blind readers and on light and dark ground (after Okabe and Ito); shapes tell
# models apart where colours cannot.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#8A6FB0", "#7F7F7F")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
_FONT = ", ".join((*fonts.FAMILIES, "Noto Sans CJK SC", "sans-serif"))
_CHINESE = re.compile("[\u2e80-\u9fff]")
_ROW = 14
_MARK = 9
_LEAST_ROWS = 22
_APART = 8
_LABEL = 220
_TREND = 260
_LINE = 14
_NOTE_LINES = 6
# The first date says its year too: of the others only January does.
_YEAR_TOLD = (
    "datum.index > 0 || datum.label === timeFormat(datum.value, '%Y') ? datum.label "
    ": [datum.label, timeFormat(datum.value, '%Y')]"
)
# Of what each 1 brought back: from ROI -90 % on, with break-even (1) among them.
_BACKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_ENDS = {"roi": "roi", "low": "roi_low", "high": "roi_high"}


def roi_by_model(table: pa.Table, *, words: Words | None = None, locale: Spec | None = None) -> Spec:
    """Draw each campaign's ROI under each model as a mark, with its interval as a line.

    The axis is that of :mod:`reports.scale`: logarithmic in what each 1 spent brought back, so that one
    large return does not press all others together.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of :data:`reports.roi.ROI`; with columns ``roi_low`` and ``roi_high`` intervals are drawn.
        Lines in brackets, such as ``(total)``, and rows without either are left out.
    words : mapping of str to str, optional
        Translations of the headings ``Campaign``, ``Model`` and ``ROI`` and of names of models; what is not
        in it stands as it is.
    locale : dict, optional
        Vega's ``config.locale``: how numbers and days are written.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its container.
    """
    say = _words(words)
    rows = [
        {
            "campaign": row["campaign"],
            "model": say(row["model"]),
        }
        | {name: _short(row.get(column)) for name, column in _ENDS.items()}
        | {f"{name} back": _back(row.get(column)) for name, column in _ENDS.items()}
        for row in table.to_pylist()
        if (row["roi"], row.get("roi_low")) != (None, None) and not row["campaign"].startswith("(")
    ]
    models = list(dict.fromkeys(row["model"] for row in rows))
    campaigns = list(dict.fromkeys(row["campaign"] for row in rows))
    y = _field("campaign", _NAME, title=None, sort=campaigns, axis={"labelLimit": _LABEL, "grid": False})
    place = {
        "y": y,
        "yOffset": _field("model", _NAME, sort=models),
        "color": _named("model", models, COLOURS, title=say("Model")),
    }
    told = [
        _field("campaign", _NAME, title=say("Campaign")),
        _field("model", _NAME, title=say("Model")),
        _field("roi", _AMOUNT, title=say("ROI"), format=",.0%"),
        _field("low", _AMOUNT, title=say("from"), format=",.0%"),
        _field("high", _AMOUNT, title=say("to"), format=",.0%"),
    ]
    shape = _named("model", models, SHAPES, title=say("Model"))
    axis = {
        "values": list(_BACKS),
        "labelExpr": f"(datum.value > {_BACKS[0]} ? '' : '≤ ') + format(datum.value - 1, ',.0%')",
        "labelSeparation": _APART,
        "labelOverlap": "greedy",
    }
    scale = {"type": "log", "nice": False, "padding": 12}
    x = _field("roi back", _AMOUNT, title=say("ROI"), axis=axis, scale=scale)
    span = {"x": x | {"field": "low back"}, "x2": {"field": "high back"}}
    layers = [
        _layer("zero", _rule(color="#888888", strokeDash=[4, 3]), {"x": x}),
        _layer("rows", _rule(strokeWidth=2, opacity=0.55), place | span),
    ]
    if any(row["roi"] is not None for row in rows):
        # Marks of which there is none would be a group without a name.
        layers.append(_layer("rows", _point(60), place | {"x": x, "shape": shape, "tooltip": told}))
    height = max(80, max(_LEAST_ROWS, _ROW * len(models) + 6) * len(campaigns))
    return _finished(layers, {"zero": [{"roi back": 1}], "rows": rows}, height, locale)


def _short(roi: float | None) -> float | None:
    return None if roi is None else round(roi, 4)


def _back(roi: float | None) -> float | None:
    """Return what each 1 brought back; what lies below the scale, as its lowest mark."""
    return None if roi is None else round(max(roi + 1, _BACKS[0]), 4)


def trend(
    table: pa.Table,
    annotations: Iterable[Mapping[str, Any]] = (),
    *,
    title: str = "",
    money: bool = False,
    words: Words | None = None,
    locale: Spec | None = None,
) -> Spec:
    """Draw figures over time as lines, and what happened beside them as marks on the axis of time.

    Parameters
    ----------
    table : pyarrow.Table
        Columns ``start`` (date32, first day of the span), ``series`` (str), ``value`` (float64, null
        where nothing is known) and, if need be, ``whole`` (bool): a span of which only a part is known is
        a hollow mark beside the line.
    annotations : iterable of mapping
        Each with ``starts_on`` (date), ``ends_on`` (date or None) and ``title`` (str).
    title : str, default ""
        What the values are, with their unit.
    money : bool, default False
        Whether values are whole units of money, written short (12k); otherwise plain figures.
    words, locale
        As in :func:`roi_by_model`; ``words`` also names the series.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its container.
    """
    say = _words(words)
    rows = [
        {"start": _iso(row["start"]), "series": say(row["series"]), "value": row["value"]}
        for row in table.to_pylist()
    ]
    whole = table["whole"].to_pylist() if "whole" in table.column_names else [True] * len(rows)
    series = list(dict.fromkeys(row["series"] for row in rows))
    notes = _notes(annotations, table["start"].to_pylist())
    # The names of what happened have lines of their own above the figures.
    above = _LINE * sum(note["named"] for note in notes)
    dates = {"grid": False, "labelOverlap": "greedy", "labelSeparation": _APART, "labelExpr": _YEAR_TOLD}
    encoding: Spec = {
        "x": _field("start", _TIME, title=None, axis=dates),
        "y": _field(
            "value",
            _AMOUNT,
            title=title or None,
            # Written out: what stands for a thousand differs from language to language.
            axis={"format": ",~r" if money else ",.4~r"},
            scale={"range": [_TREND + above, above]},
        ),
        "color": _named("series", series, COLOURS, title=None),
        "tooltip": [
            _field("start", _TIME, title=say("from"), format=_DAY),
            _field("series", _NAME, title=say("series")),
            _field("value", _AMOUNT, title=title or say("value"), format=",.4~r"),
        ],
    }
    marked = encoding | {"shape": _named("series", series, SHAPES, title=None)}
    data = {
        "whole": [row for row, is_whole in zip(rows, whole, strict=True) if is_whole],
        "part": [row for row, is_whole in zip(rows, whole, strict=True) if not is_whole],
        "notes": notes,
    }
    layers = _beside(say) if notes else []
    layers.append(_layer("whole", {"type": "line", "strokeWidth": 2.5}, encoding))
    layers.append(_layer("whole", _point(45), marked))
    if data["part"]:
        layers.append(_layer("part", _point(45, filled=False, strokeWidth=1.5), marked))
    return _finished(layers, data, _TREND + above, locale, over_time=True)


def still_to_come(
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    words: Words | None = None,
    locale: Spec | None = None,
) -> Spec:
    """Draw each campaign's revenue so far and the revenue expected of leads that have not bought yet.

    Parameters
    ----------
    rows : sequence of mapping
        Each with ``campaign`` (str), ``revenue`` (whole units of money so far), ``expected``, ``low`` and
        ``high`` (still to come, same unit).
    title : str, default ""
        The unit.
    words, locale
        As in :func:`roi_by_model`; headings ``First orders so far`` and ``Still expected``.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its container.
    """
    say = _words(words)
    kinds = [say("First orders so far"), say("Still expected")]
    bars = [
        {"campaign": row["campaign"], "kind": kind, "value": value, "order": place}
        for row in rows
        for place, (kind, value) in enumerate(zip(kinds, (row["revenue"], row["expected"]), strict=True))
    ]
    spans = [
        {
            "campaign": r["campaign"],
            "from": r["revenue"] + r["low"],
            "to": r["revenue"] + r["high"],
        }
        for r in rows
    ]
    campaigns = [row["campaign"] for row in rows]
    y = _field("campaign", _NAME, title=None, sort=campaigns, axis={"labelLimit": _LABEL})
    x = _field(
        "value", _AMOUNT, title=title or say("Revenue"), axis={"format": ",~r", "labelSeparation": _APART}
    )
    told = [
        _field("campaign", _NAME, title=say("Campaign")),
        _field("kind", _NAME, title=say("Revenue")),
        _field("value", _AMOUNT, title=say("value"), format=",.0f"),
    ]
    colour = _named("kind", kinds, (COLOURS[0], COLOURS[5]), title=None)
    order = _field("order", _AMOUNT)
    layers = [
        _layer("bars", {"type": "bar"}, {"x": x, "y": y, "color": colour, "order": order, "tooltip": told}),
        _layer(
            "spans",
            _rule(strokeWidth=2, color="#7F7F7F"),
            {"y": y, "x": _field("from", _AMOUNT), "x2": {"field": "to"}},
        ),
    ]
    height = max(80, 28 * len(campaigns))
    return _finished(layers, {"bars": bars, "spans": spans}, height, locale)


def against_truth(
    table: pa.Table,
    truth: str,
    *,
    title: str = "",
    words: Words | None = None,
    locale: Spec | None = None,
) -> Spec:
    """Draw what each model says of each campaign beside what is true of it in a simulated market.

    Parameters
    ----------
    table : pyarrow.Table
        Columns ``campaign`` (str), ``model`` (str) and ``value`` (float64; 1.0 is 100 %).
    truth : str
        What `model` is called in the rows that hold the truth; drawn as a bar behind the models' marks.
    title : str, default ""
        What the values are.
    words, locale
        As in :func:`roi_by_model`.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its container.
    """
    say = _words(words)
    rows = [row for row in table.to_pylist() if row["value"] is not None]
    campaigns = list(dict.fromkeys(row["campaign"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows if row["model"] != truth))
    names = [say(truth), *(say(model) for model in models)]
    rows = [row | {"model": say(row["model"])} for row in rows]
    encoding: Spec = {
        "x": _field("value", _AMOUNT, title=title, axis={"format": ",.0%", "labelSeparation": _APART}),
        "y": _field(
            "campaign", _NAME, title=None, sort=campaigns, axis={"labelLimit": _LABEL, "grid": False}
        ),
        "color": _named("model", names, ("#9AA3AE", *_around(COLOURS, len(models))), title=None),
        "tooltip": [
            _field("campaign", _NAME, title=say("Campaign")),
            _field("model", _NAME, title=say("Model")),
            _field("value", _AMOUNT, title=title, format=",.1%"),
        ],
    }
    shape = _named("model", names, ("square", *_around(SHAPES, len(models))), title=None)
    layers = [
        _layer("truth", {"type": "bar", "height": {"band": 0.95}, "opacity": 0.6}, encoding),
        _layer(
            "said",
            _point(60),
            encoding | {"yOffset": _field("model", _NAME, sort=names[1:]), "shape": shape},
        ),
    ]
    data = {
        "truth": [row for row in rows if row["model"] == say(truth)],
        "said": [row for row in rows if row["model"] != say(truth)],
    }
    band = max(_LEAST_ROWS, _MARK * len(models) + 6)
    return _finished(layers, data, max(80, band * len(campaigns)), locale)


def svg(spec: Spec, *, width: int = 640) -> str:
    """Return a specification as an SVG picture, for documents.

    Parameters
    ----------
    spec : dict
        What a function of this module returned.
    width : int, default 640
        Width of the drawing area in pixels.

    Returns
    -------
    str
        The picture; its words are text in the fonts of the machine.

    Raises
    ------
    reports.extras.DocumentsMissing
        If the extra ``documents`` is not installed.
    """
    return str(extras.load("vl_convert").vegalite_to_svg(_fixed(spec, width), allowed_base_urls=[]))


def png(spec: Spec, *, width: int = 640, scale: float = 2.0) -> bytes:
    """Return a specification as a PNG picture; ``scale`` is pixels of the picture a pixel of the drawing.

    Parameters
    ----------
    spec : dict
        What a function of this module returned.
    width : int, default 640
        Width of the drawing area in pixels.
    scale : float, default 2.0
        Above 0; 2 is sharp in print.

    Returns
    -------
    bytes
        The picture, on white ground.

    Raises
    ------
    reports.extras.DocumentsMissing
        If the extra ``documents`` is not installed.
    """
    fixed = _fixed(spec, width)
    fixed["config"] = fixed.get("config", {}) | {"background": "white"}
    return bytes(extras.load("vl_convert").vegalite_to_png(fixed, scale=scale, allowed_base_urls=[]))


_NAME, _AMOUNT, _TIME = "nominal", "quantitative", "temporal"
_DAY = "%Y-%m-%d"


def _words(words: Words | None) -> Any:
    known = words or {}
    return lambda text: known.get(text, text)


def _layer(data: str, mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"name": data}, "mark": mark, "encoding": encoding}


def _rule(**told: Any) -> Spec:
    return {"type": "rule", **told}


def _point(size: int, *, filled: bool = True, **told: Any) -> Spec:
    return {"type": "point", "size": size, "filled": filled, "opacity": 1, **told}


def _field(name: str, kind: str, **told: Any) -> Spec:
    return {"field": name, "type": kind, **told}


def _named(field: str, names: Sequence[str], marks: Sequence[str], *, title: str | None) -> Spec:
    """Tell names apart by colours or shapes, with a legend above the picture."""
    # Seven shapes against eight colours: the pairs repeat only after 56 names.
    scale = {"domain": list(names), "range": _around(marks, len(names))}
    legend = {"orient": "top", "labelLimit": _LABEL}
    return _field(field, _NAME, title=title, sort=list(names), scale=scale, legend=legend)


def _around(marks: Sequence[str], count: int) -> list[str]:
    return [marks[i % len(marks)] for i in range(count)]


def _notes(annotations: Iterable[Mapping[str, Any]], days: Sequence[date]) -> list[Spec]:
    """Place what happened between the first and last of the days drawn.

    The latest have their names each on a line of its own: a name that stands at the right of its mark below
    those of earlier marks, one at the left above them, so that few marks run through a name.
    """
    known = sorted(annotations, key=lambda note: note["starts_on"])
    first, last = (min(days), max(days)) if days else (date.min, date.max)
    notes: list[Spec] = []
    for place, note in enumerate(known):
        start, end = note["starts_on"], note.get("ends_on") or note["starts_on"]
        # Drawn to its whole length, what began earlier or goes on would stretch the axis of time.
        left = max(start, first)
        notes.append(
            {
                "title": note["title"],
                "start": _iso(start),
                "end": _iso(end),
                "left": _iso(left),
                "right": _iso(max(left, min(end, last))),
                "named": len(known) - place <= _NOTE_LINES,
                # A name near the right edge is written to the left of its mark, where there is room.
                "late": bool(days) and (left - first) > (last - first) * 0.55,
            }
        )
    named = [note for note in notes if note["named"]]
    late = [note for note in named if note["late"]]
    for line, note in enumerate([*reversed(late), *(note for note in named if not note["late"])]):
        note["top"] = _LINE * line
    for note in notes[: len(notes) - len(named)]:
        note["top"] = _LINE * len(named)
    return notes


def _beside(say: Any) -> list[Spec]:
    x = _field("left", _TIME, title=None)
    told = [
        _field("title", _NAME, title=say("what happened")),
        _field("start", _TIME, title=say("from"), format=_DAY),
        _field("end", _TIME, title=say("to"), format=_DAY),
    ]
    grey = "#7F7F7F"
    label = {
        "type": "text",
        "align": {"expr": "datum.late ? 'right' : 'left'"},
        "baseline": "top",
        "dx": {"expr": "datum.late ? -4 : 4"},
        "dy": 2,
        "limit": 160,
        "fontSize": 11,
        "fontStyle": "italic",
        "color": grey,
    }
    # Pixels from the top; the scale of the figures has no part in it.
    top = {"field": "top", "type": "quantitative", "scale": None, "axis": None}
    base = {"x": x, "tooltip": told}
    down = base | {"y": top, "y2": {"value": {"expr": "height"}}}
    return [
        _layer("notes", {"type": "rect", "opacity": 0.18, "color": grey}, down | {"x2": {"field": "right"}}),
        _layer("notes", _rule(color=grey, strokeDash=[5, 3], strokeWidth=1.5), down),
        _layer(
            "notes",
            label | {"text": {"expr": "datum.named ? datum.title : ''"}},
            base | {"y": top},
        ),
    ]


def _iso(day: date) -> str:
    # Without a time, browsers take a day for midnight in Greenwich and show the day before west of it.
    return f"{day.isoformat()}T00:00:00"


def _finished(
    layers: list[Spec],
    data: Mapping[str, list[Spec]],
    height: int,
    locale: Spec | None,
    *,
    over_time: bool = False,
) -> Spec:
    config: Spec = {
        "font": _FONT,
        "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        "legend": {"labelFontSize": 12, "titleFontSize": 12, "columns": 4},
        "customFormatTypes": False,
    }
    if locale:
        # The names of days and months are most of it: only a chart that has them brings them along.
        config["locale"] = locale if over_time else {"number": locale["number"]}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": height,
        "layer": layers,
        "datasets": data,
        "config": config,
    }


def _fixed(spec: Spec, width: int) -> Spec:
    fonts.teach_charts()
    config = dict(spec.get("config", {}))
    if _CHINESE.search(json.dumps(spec, ensure_ascii=False)):
        # For a letter that the first font lacks, a picture takes any other, were it one with serifs.
        config["font"] = ", ".join(reversed(fonts.FAMILIES))
    return {**spec, "width": width, "config": config}
