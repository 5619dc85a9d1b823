"""The models by name, and how a name becomes a configured model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attribution.answers import SelfReported
from attribution.hybrid import Hybrid
from attribution.markov import Markov
from attribution.positions import (
    full_path,
    inverse_j,
    j_shaped,
    position_based,
    u_shaped,
    w_shaped,
)
from attribution.rules import (
    FirstTouch,
    LastNonDirect,
    LastTouch,
    Linear,
    Model,
    TimeDecay,
)
from attribution.shapley import Shapley, ShapleyCoalitions

if TYPE_CHECKING:
    from attribution.paths import Journeys

MODELS = (
    "first-touch",
    "last-touch",
    "last-non-direct",
    "linear",
    "position-based",
    "u-shaped",
    "w-shaped",
    "full-path",
    "j-shaped",
    "inverse-j",
    "time-decay",
    "custom",
    "markov",
    "shapley",
    "shapley-coalitions",
    "self-reported",
    "hybrid",
)
"""The names of all models, in the order of the contract."""

ModelLike = str | Model

_SIMPLE: dict[str, Callable[[], Model]] = {
    "first-touch": FirstTouch,
    "last-touch": LastTouch,
    "last-non-direct": LastNonDirect,
    "linear": Linear,
    "position-based": position_based,
    "u-shaped": u_shaped,
    "w-shaped": w_shaped,
    "full-path": full_path,
    "j-shaped": j_shaped,
    "inverse-j": inverse_j,
    "markov": Markov,
    "shapley": Shapley,
    "shapley-coalitions": ShapleyCoalitions,
    "self-reported": SelfReported,
    "hybrid": Hybrid,
}
"""The models that need no setting."""


def resolve(models: Sequence[ModelLike], half_life_days: float | None = None) -> list[Model]:
    """Turn names and configured models into models with labels of their own."""
    if isinstance(models, str | Model):
        models = [models]
    chosen = [_named(model, half_life_days) if isinstance(model, str) else model for model in models]
    if not chosen:
        raise ValueError("no model is given; name at least one")
    shown = [model.shown for model in chosen]
    for label in shown:
        if shown.count(label) > 1:
            raise ValueError(f"two models are called {label!r}; give one of them a label")
    return chosen


def fit(model: Model, journeys: Journeys) -> Model:
    """Fit a data-driven model to all journeys; give back a rule as it is."""
    if isinstance(model, Markov | Shapley | ShapleyCoalitions | SelfReported | Hybrid):
        return model.fit(journeys)
    return model


def _named(name: str, half_life_days: float | None) -> Model:
    if name in _SIMPLE:
        return _SIMPLE[name]()
    if name == "time-decay":
        if half_life_days is None:
            raise ValueError("time-decay needs half_life_days: after how many days does a touch count half?")
        return TimeDecay(half_life_days)
    if name == "custom":
        raise ValueError("custom needs shares: pass Positions({'first': 40, 'last': 40}, middle=20)")
    raise ValueError(f"{name!r} is not a model; use one of {', '.join(MODELS)}")
