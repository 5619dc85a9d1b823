"""Saved views: pages with their filters under a name, a user's own and those shared with all."""

from flask import flash, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from tracking.access import saved_views as views
from tracking.errors import Invalid
from tracking.storage.vocabulary import Role
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, Work, user


@pages.page("/views", EVERYONE)
def saved_views() -> str:
    with pages.reading() as session:
        saved = views.visible(session, user().id, by_number=pages.sees_numbers())
        return render_template("decide/views.html", saved=saved, role=Role)


@pages.page("/views", EVERYONE, methods=("POST",))
def save_view() -> Response:
    def save(work: Work) -> str:
        name, path = forms.text("name"), request.form.get("path", "")
        if name is None:
            raise Invalid("name", gettext("enter a name for the view"))
        views.save(work.session, user().id, name, path, shared=forms.flag("shared"))
        work.note("view save", name)
        return path

    path = pages.change(save)
    flash(gettext("View saved."))
    return redirect(path, 303)


@pages.page("/views/<int:view_id>/delete", EVERYONE, methods=("POST",))
def delete_view(view_id: int) -> Response:
    def delete(work: Work) -> None:
        everything = user().role is Role.administrator
        row = views.remove(work.session, view_id, user_id=user().id, any_owner=everything)
        work.note("view delete", row.name)

    pages.change(delete)
    flash(gettext("View deleted."))
    return redirect("/views", 303)
