"""A market built from one's own tables as a file, with a word beside each value on where it comes from."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from simulator.own import Own

# Said in every report, because no fit to what was tracked can tell them.
NEVER_IDENTIFIED: Final = (
    "the effects of campaigns (impulse, lift, value_lift) and how much would come without any: tables of what"
    " was tracked show who met what, not what would have happened otherwise; the campaigns of this file have"
    " no effect, and `market decide` tries many",
    "the number of companies in the market: companies never seen are in no table",
    "how often a meeting leaves a trace: the response rates are assumed for each channel",
)


def value_rows(own: Own) -> list[dict[str, Any]]:
    """Return every value of a market with where it comes from: ``key``, ``value``, ``origin`` and ``how``."""
    rows: list[dict[str, Any]] = []

    def walk(table: Mapping[str, Any], path: str) -> None:
        for key, value in table.items():
            place = f"{path}.{key}" if path else key
            if isinstance(value, Mapping):
                walk(value, place)
            elif key not in ("name", "description"):
                origin, how = own.origin(place)
                told = _value(value)
                rows.append({"key": place, "value": told, "origin": origin, "how": how})

    walk(own.scenario.model_dump(mode="python"), "")
    return rows


def as_toml(own: Own) -> str:
    """Write a fitted market as TOML, with a word beside each value on where it comes from.

    Parameters
    ----------
    own : Own
        The market, as `simulator.fitting.fit` made it.

    Returns
    -------
    str
        A whole scenario, good for `simulator.scenario.load`; its size stands in it.
    """
    lines = [
        "# Built from our own journey tables; beside each value stands whether it is from the data, fitted",
        "# by simulated moments, or an assumption.",
        "#",
    ]
    lines += [f"# Cannot be identified: {text}." for text in NEVER_IDENTIFIED]
    return "\n".join(lines) + "\n\n" + _toml(own, own.scenario.model_dump(mode="python"), "")


def _toml(own: Own, table: Mapping[str, Any], path: str) -> str:
    lines, below = [], []
    for key, value in table.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            header = ".".join(map(_key, place.split("."))) if not path else f"{path}.{_key(key)}"
            below.append(f"\n[{header}]\n{_toml(own, value, header)}")
        elif value is not None:
            origin, how = own.origin(place.replace('"', ""))
            word = {"data": "from the data", "fitted": "fitted", "assumption": "assumption"}[origin]
            told = " ".join(how.split())
            said = "" if key in ("name", "description") else f"  # {word}{': ' if told else ''}{told}"
            lines.append(f"{_key(key)} = {_value(value)}{said}\n")
    return "".join(lines + below)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items()) + " }"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
