"""Tables as pictures: one Vega-Lite specification for a page, a PNG, an SVG and a document."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import pyarrow as pa
import vl_convert

from reports import fonts

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


def roi_by_model(table: pa.Table, *, words: Words | None = None, locale: Spec | None = None) -> Spec:
    """Draw each campaign's ROI under each model as a mark, with its interval as a line.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of :data:`reports.roi.ROI`; with columns ``roi_low`` and ``roi_high`` intervals are drawn.
        Lines in brackets, such as ``(total)``, and rows without an ROI are left out.
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
            "roi": row["roi"],
            "low": row.get("roi_low"),
            "high": row.get("roi_high"),
        }
        for row in table.to_pylist()
        if row["roi"] is not None and not row["campaign"].startswith("(")
    ]
    models = list(dict.fromkeys(row["model"] for row in rows))
    campaigns = list(dict.fromkeys(row["campaign"] for row in rows))
    band = max(_LEAST_ROWS, _ROW * len(models) + 6)
    y = alt.Y("campaign:N", title=None, sort=campaigns, axis=alt.Axis(labelLimit=_LABEL, grid=False))
    offset = alt.YOffset("model:N", sort=models)
    colour = alt.Color("model:N", title=say("Model"), sort=models, scale=_colours(models), legend=_LEGEND)
    told = [
        alt.Tooltip("campaign:N", title=say("Campaign")),
        alt.Tooltip("model:N", title=say("Model")),
        alt.Tooltip("roi:Q", title=say("ROI"), format=",.0%"),
        alt.Tooltip("low:Q", title=say("from"), format=",.0%"),
        alt.Tooltip("high:Q", title=say("to"), format=",.0%"),
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=y, yOffset=offset)
    x = alt.X("roi:Q", title=say("ROI"), axis=alt.Axis(format=",.0%", labelSeparation=_APART))
    lines = base.mark_rule(strokeWidth=2, opacity=0.55).encode(
        x=alt.X("low:Q", title=say("ROI")), x2="high:Q", color=colour
    )
    shape = alt.Shape("model:N", title=say("Model"), sort=models, scale=_shapes(models), legend=_LEGEND)
    marks = base.mark_point(size=60, filled=True, opacity=1).encode(
        x=x, color=colour, shape=shape, tooltip=told
    )
    zero = alt.Chart(alt.InlineData(values=[{"roi": 0}])).mark_rule(color="#888888", strokeDash=[4, 3])
    chart = alt.layer(zero.encode(x="roi:Q"), lines, marks)
    return _finished(chart.properties(height=max(80, band * len(campaigns))), locale)


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
    # Written out: what stands for a thousand differs from language to language.
    form = ",~r" if money else ",.4~r"
    colour = alt.Color("series:N", title=None, sort=series, scale=_colours(series), legend=_LEGEND)
    x = alt.X("start:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True))
    shape = alt.Shape("series:N", title=None, sort=series, scale=_shapes(series), legend=_LEGEND)

    def drawn(name: str) -> Any:
        return alt.Chart(alt.NamedData(name)).encode(
            x=x,
            y=alt.Y("value:Q", title=title or None, axis=alt.Axis(format=form)),
            color=colour,
            tooltip=[
                alt.Tooltip("start:T", title=say("from"), format="%Y-%m-%d"),
                alt.Tooltip("series:N", title=say("series")),
                alt.Tooltip("value:Q", title=title or say("value"), format=",.4~r"),
            ],
        )

    # By name: Altair copies and checks rows again for every layer they stand in.
    datasets = {
        "whole": [row for row, is_whole in zip(rows, whole, strict=True) if is_whole],
        "part": [row for row, is_whole in zip(rows, whole, strict=True) if not is_whole],
    }
    line = drawn("whole")
    layers: list[Any] = [*_beside(annotations, say), line.mark_line(strokeWidth=2.5)]
    layers.append(line.mark_point(size=45, filled=True, opacity=1).encode(shape=shape))
    if not all(whole):
        hollow = drawn("part").mark_point(size=45, filled=False, strokeWidth=1.5, opacity=1)
        layers.append(hollow.encode(shape=shape))
    spec = _finished(alt.layer(*layers).properties(height=260), locale)
    spec["datasets"] = spec.get("datasets", {}) | datasets
    return spec


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
        As in :func:`roi_by_model`; headings ``Revenue so far`` and ``Still to come``.

    Returns
    -------
    dict
        A Vega-Lite specification, as wide as its container.
    """
    say = _words(words)
    kinds = [say("Revenue so far"), say("Still to come")]
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
    y = alt.Y("campaign:N", title=None, sort=campaigns, axis=alt.Axis(labelLimit=_LABEL))
    scale = alt.Scale(domain=kinds, range=[COLOURS[0], COLOURS[5]])
    drawn = (
        alt.Chart(alt.InlineData(values=bars))
        .mark_bar()
        .encode(
            y=y,
            x=alt.X(
                "value:Q", title=title or say("Revenue"), axis=alt.Axis(format=",~r", labelSeparation=_APART)
            ),
            color=alt.Color("kind:N", title=None, scale=scale, sort=kinds, legend=_LEGEND),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("campaign:N", title=say("Campaign")),
                alt.Tooltip("kind:N", title=say("Revenue")),
                alt.Tooltip("value:Q", title=say("value"), format=",.0f"),
            ],
        )
    )
    lines = alt.Chart(alt.InlineData(values=spans)).mark_rule(strokeWidth=2, color="#7F7F7F")
    chart = alt.layer(drawn, lines.encode(y=y, x="from:Q", x2="to:Q"))
    return _finished(chart.properties(height=max(80, 28 * len(campaigns))), locale)


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
    scale = alt.Scale(
        domain=names, range=["#9AA3AE", *(COLOURS[i % len(COLOURS)] for i in range(len(models)))]
    )
    form = alt.Scale(domain=names, range=["square", *(SHAPES[i % len(SHAPES)] for i in range(len(models)))])
    y = alt.Y("campaign:N", title=None, sort=campaigns, axis=alt.Axis(labelLimit=_LABEL, grid=False))
    x = alt.X("value:Q", title=title, axis=alt.Axis(format=",.0%", labelSeparation=_APART))
    told = [
        alt.Tooltip("campaign:N", title=say("Campaign")),
        alt.Tooltip("model:N", title=say("Model")),
        alt.Tooltip("value:Q", title=title, format=",.1%"),
    ]
    colour = alt.Color("model:N", title=None, sort=names, scale=scale, legend=_LEGEND)
    real = [row for row in rows if row["model"] == say(truth)]
    bars = (
        alt.Chart(alt.InlineData(values=real))
        .mark_bar(height={"band": 0.95}, opacity=0.6)
        .encode(x=x, y=y, color=colour, tooltip=told)
    )
    said = [row for row in rows if row["model"] != say(truth)]
    marks = (
        alt.Chart(alt.InlineData(values=said))
        .mark_point(size=60, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("model:N", sort=names[1:]),
            color=colour,
            shape=alt.Shape("model:N", title=None, sort=names, scale=form, legend=_LEGEND),
            tooltip=told,
        )
    )
    band = max(_LEAST_ROWS, _MARK * len(models) + 6)
    chart = alt.layer(bars, marks)
    return _finished(chart.properties(height=max(80, band * len(campaigns))), locale)


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
    """
    return str(vl_convert.vegalite_to_svg(_fixed(spec, width), allowed_base_urls=[]))


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
    """
    fixed = _fixed(spec, width)
    fixed["config"] = fixed.get("config", {}) | {"background": "white"}
    return bytes(vl_convert.vegalite_to_png(fixed, scale=scale, allowed_base_urls=[]))


_LEGEND = alt.Legend(orient="top", labelLimit=_LABEL)


def _words(words: Words | None) -> Any:
    known = words or {}
    return lambda text: known.get(text, text)


def _colours(names: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[COLOURS[i % len(COLOURS)] for i in range(len(names))])


def _shapes(names: Sequence[str]) -> alt.Scale:
    # Seven shapes against eight colours: the pairs repeat only after 56 names.
    return alt.Scale(domain=list(names), range=[SHAPES[i % len(SHAPES)] for i in range(len(names))])


def _beside(annotations: Iterable[Mapping[str, Any]], say: Any) -> list[Any]:
    rows = []
    for note in annotations:
        start, end = note["starts_on"], note.get("ends_on")
        rows.append({"start": _iso(start), "end": _iso(end or start), "title": note["title"]})
    if not rows:
        return []
    told = [
        alt.Tooltip("title:N", title=say("what happened")),
        alt.Tooltip("start:T", title=say("from"), format="%Y-%m-%d"),
        alt.Tooltip("end:T", title=say("to"), format="%Y-%m-%d"),
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("start:T", title=None), tooltip=told)
    area = base.mark_rect(opacity=0.18, color="#7F7F7F").encode(x2="end:T")
    line = base.mark_rule(color="#7F7F7F", strokeDash=[5, 3], strokeWidth=1.5)
    label = base.mark_text(
        align="left", baseline="top", dx=4, dy=2, fontSize=11, fontStyle="italic", color="#7F7F7F", limit=160
    ).encode(text="title:N", y=alt.value(0))
    return [area, line, label]


def _iso(day: date) -> str:
    # Without a time, browsers take a day for midnight in Greenwich and show the day before west of it.
    return f"{day.isoformat()}T00:00:00"


def _finished(chart: Any, locale: Spec | None) -> Spec:
    spec: Spec = chart.properties(width="container").configure(font=_FONT).to_dict(validate=False)
    config = spec.setdefault("config", {})
    # Altair's theme fixes a size of the view, which the container is to decide.
    config.pop("view", None)
    config |= {
        "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        "legend": {"labelFontSize": 12, "titleFontSize": 12, "columns": 4},
        "customFormatTypes": False,
    }
    if locale:
        config["locale"] = locale
    return spec


def _fixed(spec: Spec, width: int) -> Spec:
    fonts.teach_charts()
    config = dict(spec.get("config", {}))
    if _CHINESE.search(json.dumps(spec, ensure_ascii=False)):
        # For a letter that the first font lacks, a picture takes any other, were it one with serifs.
        config["font"] = ", ".join(reversed(fonts.FAMILIES))
    return {**spec, "width": width, "config": config}
