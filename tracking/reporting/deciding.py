"""The model that an installation decides by: the study's choice, unless somebody has chosen another."""

from dataclasses import dataclass
from datetime import date

from flask_babel import gettext
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from simulator import which_model
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.language.words import model_word
from tracking.reporting import roi
from tracking.reporting.credit import GROUPS
from tracking.storage.config import Settings
from tracking.storage.models import Deal, Installation
from tracking.storage.vocabulary import Stage

CHOICES = GROUPS["rules"]
"""A model that learns from all journeys would change last year's figures with this year's data."""
_COMPARED = ("position-based", "time-decay", "linear")
"""Models that people know and the study does not advise against, to compare the one that decides with."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """The model that decides, whether somebody chose it, and the deals of a year that speak for it."""

    model: str
    chosen: bool
    deals: int

    @property
    def compared(self) -> tuple[str, ...]:
        """Return the models of a comparison, the one that decides first."""
        return tuple(dict.fromkeys((self.model, *_COMPARED)))


def current(session: Session, settings: Settings, today: date) -> Deciding:
    """Return the model that the installation decides by on a day."""
    # The deals that the pages count when nobody has chosen days.
    year = roi.period_of(settings, today, None, None)
    won = select(func.count()).where(
        Deal.stage == Stage.won, Deal.closed_at >= year.since, Deal.closed_at < year.until
    )
    deals = session.scalar(won) or 0
    chosen = session.scalar(select(Installation.deciding_model))
    if chosen in CHOICES:
        return Deciding(chosen, True, deals)
    return Deciding(which_model.recommended(deals, CHOICES).model, False, deals)


def choose(session: Session, model: str | None) -> None:
    """Decide by a model from now on; by None, by whatever the study recommends."""
    if model is not None and model not in CHOICES:
        raise Invalid(
            "model",
            "%(name)r cannot be the default model; use one of: %(known)s",
            name=model,
            known=", ".join(CHOICES),
        )
    session.execute(update(Installation).values(deciding_model=model))


def reason(deciding: Deciding) -> str:
    """Return in one sentence why the model decides."""
    best = which_model.recommended(deciding.deals, CHOICES)
    if deciding.model != best.model:
        return str(
            gettext(
                "%(model)s was chosen here. For %(deals)s deals a year, tests on simulated markets favour "
                "%(best)s.",
                model=model_word(deciding.model),
                deals=formatting.count(deciding.deals),
                best=model_word(best.model),
            )
        )
    return str(
        gettext(
            "With %(deals)s deals a year, %(model)s is the safest choice. In simulated markets it "
            "misattributes %(mean)s of the margin on average and %(worst)s at worst. That is the best "
            "worst case of all models that can be the default.",
            deals=formatting.count(deciding.deals),
            model=model_word(best.model),
            mean=formatting.share(best.mean.wrong),
            worst=formatting.share(best.worst.wrong),
        )
    )


def warnings(deciding: Deciding, models: tuple[str, ...]) -> list[str]:
    """Return a sentence about each model that the study advises against."""
    return [
        str(
            gettext(
                "We do not recommend %(model)s: in one of the simulated markets it misattributes "
                "%(worst)s of the margin.",
                model=model_word(each.model),
                worst=formatting.share(each.worst.wrong),
            )
        )
        for each in which_model.advised_against(models, deciding.deals)
    ]
