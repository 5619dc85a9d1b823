"""The models by name, and how a name becomes a configured model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attribution import rules
from attribution.answers import Hybrid, SelfReported
from attribution.markov import Markov
from attribution.rules import Model, Rule, TimeDecay
from attribution.shapley import Shapley, ShapleyCoalitions

CATALOG: dict[str, Callable[[], Model] | None] = {
    "first-touch": partial(Rule, "first-touch", rules.first_touch),
    "last-touch": partial(Rule, "last-touch", rules.last_touch),
    "last-non-direct": partial(Rule, "last-non-direct", rules.last_non_direct, frozenset({"channel"})),
    "linear": partial(Rule, "linear", rules.linear),
    "position-based": rules.position_based,
    "u-shaped": rules.u_shaped,
    "w-shaped": rules.w_shaped,
    "full-path": rules.full_path,
    "j-shaped": rules.j_shaped,
    "inverse-j": rules.inverse_j,
    "time-decay": None,
    "custom": None,
    "markov": Markov,
    "shapley": Shapley,
    "shapley-coalitions": ShapleyCoalitions,
    "self-reported": SelfReported,
    "hybrid": Hybrid,
}
"""Every model and what makes it, in the order of the contract; None: its settings have to be given."""

MODELS = tuple(CATALOG)
"""The names of all models."""

FITTED = tuple(name for name, make in CATALOG.items() if make is not None and make().fitted)
"""The names of those that learn from all journeys; the others look at one at a time."""

ModelLike = str | Model


def resolve(models: ModelLike | Sequence[ModelLike], half_life_days: float | None = None) -> list[Model]:
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


def _named(name: str, half_life_days: float | None) -> Model:
    if name not in CATALOG:
        raise ValueError(f"{name!r} is not a model; use one of {', '.join(CATALOG)}")
    make = CATALOG[name]
    if make is not None:
        return make()
    if name == "custom":
        raise ValueError("custom needs shares: pass Positions({'first': 40, 'last': 40}, middle=20)")
    if half_life_days is None:
        raise ValueError("time-decay needs half_life_days: after how many days does a touch count half?")
    return TimeDecay(half_life_days)
