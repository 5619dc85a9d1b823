"""Experiments in sentences: whether a pause is worth it, what it showed, what speaks against the reading."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, ngettext

from reports.weeks import LEAST_WEEKS, Design
from tracking.language import formatting
from tracking.reporting.experiments import Outlook, Result
from tracking.storage.config import Settings
from tracking.storage.models import Experiment
from tracking.storage.vocabulary import ExperimentState


def worth(found: Outlook) -> str:
    """Return in a sentence whether a pause is worth it."""
    if not found.stakes:
        return str(
            gettext(
                "We cannot tell what a pause would show. %(weeks)s whole weeks are recorded; "
                "%(least)s with enough leads are needed.",
                weeks=formatting.count(found.known_weeks),
                least=formatting.count(LEAST_WEEKS),
            )
        )
    if found.credited is None:
        return str(
            gettext(
                "Credit is known for whole campaigns only. Compare what you expect with the smallest "
                "effect that would show."
            )
        )
    shown = found.best or found.stakes[-1].proposal
    leads = found.credited.leads * shown.counted
    values = {
        "weeks": formatting.count(shown.weeks),
        "leads": formatting.count(leads),
        "power": formatting.chance(shown.power(leads)),
    }
    if found.best is not None:
        return str(
            gettext(
                "%(weeks)s weeks are enough: if it brings the %(leads)s leads that are credited to it in "
                "that time, this shows in %(power)s of such experiments.",
                **values,
            )
        )
    return str(
        gettext(
            "Not worth it: %(leads)s leads in %(weeks)s weeks are credited to it. If it brings as many, "
            "even so long a pause shows that in only %(power)s of such experiments.",
            **values,
        )
    )


def design_words(design: Design) -> str:
    """Return what a pause is compared with."""
    if design is Design.regions:
        return str(gettext("Compared with the regions that go on, in the same weeks."))
    return str(
        gettext(
            "Compared with other weeks, trend and season taken into account. This is weaker than "
            "regions that go on: nothing shows what else changed in the pause."
        )
    )


def warnings(found: Result, settings: Settings) -> list[str]:
    """Return what speaks against a reading: how the plan was broken, and what else happened."""
    sentences = []
    disturbed, expected = found.disturbed, found.reading.expected
    if disturbed.calls:
        sentences.append(
            ngettext(
                "%(num)s call came in on a paused number. An old copy may explain it, or it still runs.",
                "%(num)s calls came in on paused numbers. Old copies may explain them, or it still runs.",
                disturbed.calls,
            )
        )
    if disturbed.cost_minor > 0:
        amount = formatting.amount(disturbed.cost_minor, settings.currency)
        sentences.append(
            gettext("The pause has a cost of %(amount)s. Did the campaign really stop?", amount=amount)
        )
    if disturbed.campaigns:
        names = ", ".join(disturbed.campaigns)
        sentences.append(gettext("Other campaigns started or ended in the pause: %(names)s.", names=names))
    if disturbed.experiments:
        names = ", ".join(disturbed.experiments)
        sentences.append(gettext("Other experiments ran at the same time: %(names)s.", names=names))
    if disturbed.annotations:
        names = ", ".join(disturbed.annotations)
        sentences.append(gettext("Annotations in the pause: %(names)s.", names=names))
    if expected is not None and not expected.parallel:
        sentences.append(
            gettext("The regions were already drifting apart before the pause, so they compare badly.")
        )
    if expected is not None and not expected.seasonal:
        sentences.append(
            gettext("Less than a year is recorded: the season is unknown and may be the difference.")
        )
    return [str(each) for each in sentences]


def verdict(found: Result, row: Experiment) -> str:
    """Return in a sentence what an experiment says; never an effect where its interval holds zero."""
    reading = found.reading
    words: Mapping[str, Any] = {
        "lift": _leads_word(reading.lift),
        "low": _leads_word(reading.low),
        "high": _leads_word(reading.high),
        "weeks": formatting.count(reading.weeks),
    }
    if row.state is ExperimentState.cancelled:
        return str(gettext("The experiment was cancelled: it says nothing."))
    if reading.low is None or reading.high is None:
        if reading.weeks:
            return str(gettext("We cannot tell: too few weeks or leads are recorded to compare with."))
        return str(gettext("Nothing to read yet: no whole week of the pause counts so far."))
    if reading.low > 0:
        return str(
            gettext(
                "It brings leads: about %(lift)s in %(weeks)s weeks, between %(low)s and %(high)s.", **words
            )
        )
    if reading.high < 0:
        return str(
            gettext(
                "More leads came while it was paused. For it this means %(lift)s leads in %(weeks)s weeks, "
                "between %(low)s and %(high)s.",
                **words,
            )
        )
    return str(
        gettext(
            "We cannot tell whether it brings leads: between %(low)s and %(high)s in %(weeks)s weeks.",
            **words,
        )
    )


def _leads_word(number: float | None) -> str:
    return formatting.count(None if number is None else round(number))


def beside(found: Result) -> str:
    """Return the credited figure beside that of the experiment; "" where one of them is not known."""
    reading, credited = found.reading, found.credited_leads
    if credited is None or reading.lift is None:
        return ""
    return str(
        gettext(
            "Credited: %(credited)s leads. The experiment says %(lift)s, between %(low)s and %(high)s.",
            credited=_leads_word(credited),
            lift=_leads_word(reading.lift),
            low=_leads_word(reading.low),
            high=_leads_word(reading.high),
        )
    )


def paused_words(row: Experiment) -> str:
    """Return what an experiment pauses."""
    what = str(gettext("All advertising"))
    if row.campaign is not None:
        what = row.campaign.name
    elif row.ad_material is not None:
        what = row.ad_material.name
    elif row.tracking_number is not None:
        what = row.tracking_number.number
    return f"{what} ({', '.join(row.regions)})" if row.regions else what


def state_words() -> dict[str, str]:
    """Return how far an experiment can be."""
    return {
        "planned": str(gettext("planned")),
        "running": str(gettext("running")),
        "ended": str(gettext("ended")),
        "cancelled": str(gettext("cancelled")),
    }
