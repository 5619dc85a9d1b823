"""Events and indicators: what stands beside our marketing on the axis of time, entered by form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from tracking.errors import Conflict, Invalid
from tracking.records import annotations
from tracking.records.annotations import Event, Reading
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work

_PAGE = 100
_Page = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two kinds of records: how its form is read, how it is saved and named, what pages say."""

    form: Callable[[], Any]
    get: Callable[..., Any]
    save: Callable[..., Any]
    noun: str
    subject: Callable[[Any], str]
    added: Any
    fields: str
    """The template of the fields of its form."""


@pages.page("/beside", EVERYONE)
def beside() -> str:
    return _show()


@pages.page("/beside/events", MARKETERS, methods=("POST",), kind="events")
@pages.page("/beside/readings", MARKETERS, methods=("POST",), kind="readings")
def add_annotation(kind: str) -> _Page:
    def save(job: Work) -> None:
        row = _KINDS[kind].save(job.session, _KINDS[kind].form())
        job.note(f"{_KINDS[kind].noun} add", _KINDS[kind].subject(row))

    try:
        pages.change(save)
    except (Invalid, Conflict) as error:
        return _show(_of_field(error), kind), 422
    flash(_KINDS[kind].added)
    return redirect(url_for("web.beside"), 303)


@pages.page("/beside/events/<int:number>", MARKETERS, methods=("GET", "POST"), kind="events")
@pages.page("/beside/readings/<int:number>", MARKETERS, methods=("GET", "POST"), kind="readings")
def change_annotation(kind: str, number: int) -> _Page:
    about = _KINDS[kind]

    def save(job: Work) -> bool:
        row = about.get(job.session, number)
        if forms.flag("delete"):
            job.note(f"{about.noun} delete", about.subject(row))
            annotations.remove(job.session, row)
            return True
        about.save(job.session, about.form(), row=row)
        job.note(f"{about.noun} change", about.subject(row))
        return True

    saved, problem = pages.submitted(save)
    if saved:
        flash(gettext("Saved."))
        return redirect(url_for("web.beside"), 303)
    with pages.reading() as session:
        row = about.get(session, number)
        page = render_template(
            "decide/change_annotation.html",
            row=row,
            fields=about.fields,
            typed=request.form,
            problem=_of_field(problem),
        )
    return page, 422 if problem else 200


def _of_field(problem: Invalid | Conflict | None) -> Invalid | None:
    """Return a conflict as what is wrong with the day: an indicator has one figure a day."""
    return Invalid.of("day", problem.whole) if isinstance(problem, Conflict) else problem


def _show(problem: Invalid | None = None, which: str = "") -> str:
    skip = pages.skipped()
    with pages.reading() as session:
        readings = annotations.readings(session)[skip:]
        return render_template(
            "decide/beside.html",
            events=annotations.events(session),
            readings=readings[:_PAGE],
            older=skip + _PAGE if len(readings) > _PAGE else None,
            names=annotations.indicators(session),
            typed=request.form,
            problem=problem,
            which=which,
        )


def _event() -> Event:
    starts_on = forms.day("starts_on")
    if starts_on is None:
        raise Invalid("starts_on", gettext("enter the first day"))
    return Event(
        title=forms.text("title") or "",
        starts_on=starts_on,
        ends_on=forms.day("ends_on"),
        note=forms.text("note") or "",
    )


def _reading() -> Reading:
    day, told = forms.day("day"), (forms.text("value") or "").replace(",", ".")
    if day is None:
        raise Invalid("day", gettext("enter a date"))
    try:
        value = float(told)
    except ValueError:
        raise Invalid(
            "value", "%(told)r is not a number; enter digits, such as 1240 or 4.6", told=told
        ) from None
    return Reading(
        name=forms.text("name") or "",
        day=day,
        value=value,
        unit=forms.text("unit") or "",
        source=forms.text("source") or "",
    )


_KINDS: Mapping[str, _Kind] = {
    "events": _Kind(
        _event,
        annotations.event,
        annotations.save_event,
        "annotation",
        lambda row: str(row.title),
        _("Annotation added."),
        "decide/_event_fields.html",
    ),
    "readings": _Kind(
        _reading,
        annotations.reading,
        annotations.save_reading,
        "indicator",
        lambda row: f"{row.name} {row.day}",
        _("Value saved."),
        "decide/_reading_fields.html",
    ),
}
