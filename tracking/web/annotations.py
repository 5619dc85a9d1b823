"""Events and indicators: what stands beside our marketing on the axis of time, entered by form."""

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tracking.errors import Conflict, Invalid
from tracking.records import annotations
from tracking.records.annotations import Event, Reading
from tracking.web import forms
from tracking.web.pages import EVERYONE, MARKETERS, Pages, Work

_PAGE = 100
_Page = str | Response | tuple[str, int]


def add(pages: Pages) -> None:
    """Add the pages of events and indicators."""

    def show(problem: Invalid | None = None, which: str = "") -> str:
        skip = max(request.args.get("skip", 0, type=int), 0)
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

    @pages.page("/beside", EVERYONE)
    def beside() -> str:
        return show()

    @pages.page("/beside/events", MARKETERS, methods=("POST",))
    def add_event() -> _Page:
        def save(work: Work) -> None:
            row = annotations.save_event(work.session, _event())
            work.note("annotation add", row.title)

        try:
            pages.change(save)
        except Invalid as error:
            return show(error, "event"), 422
        flash(gettext("The event is on the axis of time."))
        return redirect(url_for("web.beside"), 303)

    @pages.page("/beside/readings", MARKETERS, methods=("POST",))
    def add_reading() -> _Page:
        def save(work: Work) -> None:
            row = annotations.save_reading(work.session, _reading())
            work.note("indicator add", f"{row.name} {row.day}")

        try:
            pages.change(save)
        except Conflict as error:
            return show(Invalid.of("day", error.whole), "reading"), 422
        except Invalid as error:
            return show(error, "reading"), 422
        flash(gettext("The figure is saved."))
        return redirect(url_for("web.beside"), 303)

    @pages.page("/beside/events/<int:event_id>", MARKETERS, methods=("GET", "POST"))
    def change_event(event_id: int) -> _Page:
        problem = None
        if request.method == "POST":

            def save(work: Work) -> None:
                row = annotations.event(work.session, event_id)
                if forms.flag("delete"):
                    work.note("annotation delete", row.title)
                    annotations.remove(work.session, row)
                    return
                annotations.save_event(work.session, _event(), row=row)
                work.note("annotation change", row.title)

            try:
                pages.change(save)
            except Invalid as error:
                problem = error
            else:
                flash(gettext("Saved."))
                return redirect(url_for("web.beside"), 303)
        with pages.reading() as session:
            row = annotations.event(session, event_id)
            page = render_template("decide/change_event.html", row=row, typed=request.form, problem=problem)
        return (page, 422) if problem else page

    @pages.page("/beside/readings/<int:reading_id>", MARKETERS, methods=("GET", "POST"))
    def change_reading(reading_id: int) -> _Page:
        problem = None
        if request.method == "POST":

            def save(work: Work) -> None:
                row = annotations.reading(work.session, reading_id)
                if forms.flag("delete"):
                    work.note("indicator delete", f"{row.name} {row.day}")
                    annotations.remove(work.session, row)
                    return
                annotations.save_reading(work.session, _reading(), row=row)
                work.note("indicator change", f"{row.name} {row.day}")

            try:
                pages.change(save)
            except Conflict as error:
                problem = Invalid.of("day", error.whole)
            except Invalid as error:
                problem = error
            else:
                flash(gettext("Saved."))
                return redirect(url_for("web.beside"), 303)
        with pages.reading() as session:
            row = annotations.reading(session, reading_id)
            page = render_template("decide/change_reading.html", row=row, typed=request.form, problem=problem)
        return (page, 422) if problem else page


def _event() -> Event:
    starts_on = forms.day("starts_on")
    if starts_on is None:
        raise Invalid("starts_on", gettext("is missing; give the first day"))
    return Event(
        title=forms.text("title") or "",
        starts_on=starts_on,
        ends_on=forms.day("ends_on"),
        note=forms.text("note") or "",
    )


def _reading() -> Reading:
    day, told = forms.day("day"), (forms.text("value") or "").replace(",", ".")
    if day is None:
        raise Invalid("day", gettext("is missing; give the day"))
    try:
        value = float(told)
    except ValueError:
        raise Invalid(
            "value", "%(told)r is no figure; write digits, such as 1240 or 4.6", told=told
        ) from None
    return Reading(
        name=forms.text("name") or "",
        day=day,
        value=value,
        unit=forms.text("unit") or "",
        source=forms.text("source") or "",
    )
