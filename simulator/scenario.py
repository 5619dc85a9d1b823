"""Where scenarios come from: TOML files, shipped or one's own, that may build on each other.

Each line of a scenario says in a comment where its value comes from: a source, or the word "assumption". Most
are assumptions, because little about industrial buying has been measured and published; a market built from
one's own tables (`simulator.own`) is the remedy.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simulator.parameters import Scenario, ScenarioError

__all__ = ["PLAIN", "ScenarioError", "load", "names"]


# What scenarios may extend without its being a market that anyone would choose: no competition, no group that
# must agree, no limit to quoting. Worlds built to show one rule stand on it.
PLAIN: Final = "plain"


def names() -> list[str]:
    """List the scenarios that come with the package.

    Returns
    -------
    list of str
        Names in alphabetical order, each good for `load`.

    Examples
    --------
    >>> "supplier" in names()
    True
    """
    folder = resources.files("simulator") / "scenarios"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load(source: str | Path, overrides: dict[str, object] | None = None) -> Scenario:
    """Read a scenario.

    Parameters
    ----------
    source : str or Path
        The name of a shipped scenario, or the path of a TOML file. A file may say ``extends = "name"`` and
        then states only what differs; ``only = ["campaign", ...]`` keeps those campaigns of the extended one.
    overrides : dict, optional
        Values by dotted key, for example ``{"desk.reps": 3}``.

    Returns
    -------
    Scenario
        Checked and immutable.

    Raises
    ------
    ScenarioError
        If the scenario is unknown, is not TOML, or holds a key or value that does not fit; the message names
        it.

    Examples
    --------
    >>> load("supplier", {"desk.reps": 3}).desk.reps
    3
    """
    tree = _read(source, depth=0)
    for key, value in (overrides or {}).items():
        *path, leaf = key.split(".")
        branch = tree
        if path and path[0] in Scenario.model_fields:
            # A table that the file leaves out has its defaults.
            tree.setdefault(path[0], {})
        for step in path:
            if not isinstance(branch.get(step), dict):
                raise ScenarioError(f"{source}: {key!r} cannot be set: there is no table {step!r}")
            branch = branch[step]
        branch[leaf] = value
    try:
        return Scenario.model_validate(tree)
    except ValidationError as problem:
        raise ScenarioError("\n".join(_told(source, bad) for bad in problem.errors())) from None


def _told(source: str | Path, bad: ErrorDetails) -> str:
    """Say what is wrong where; what is wrong between tables names them itself."""
    key = ".".join(map(str, bad["loc"]))
    where = f"{key} = {bad['input']!r:.60}: " if key else ""
    return f"{source}: {where}{bad['msg'].removeprefix('Value error, ')}"


def _read(source: str | Path, depth: int) -> dict[str, Any]:
    if depth > 5:
        raise ScenarioError(f"{source}: scenarios extend each other in a circle; remove one 'extends'")
    if isinstance(source, str) and source in names():
        text = (resources.files("simulator") / "scenarios" / f"{source}.toml").read_text(encoding="utf-8")
        folder = None
    elif source == PLAIN:
        text = (resources.files("simulator") / "scenarios" / "bases" / f"{PLAIN}.toml").read_text("utf-8")
        folder = None
    elif Path(source).is_file():
        text, folder = _text(Path(source)), Path(source).parent
    else:
        raise ScenarioError(f"no scenario {str(source)!r}: give a TOML file or one of {', '.join(names())}")
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ScenarioError(f"{source}: not TOML: {problem}") from None
    base = tree.pop("extends", None)
    only = tree.pop("only", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise ScenarioError(f"{source}: extends = {base!r} must be the name of a scenario or of a file")
    neighbour = folder / base if folder is not None else None
    parent = _read(neighbour if neighbour is not None and neighbour.is_file() else base, depth + 1)
    if only is not None:
        if not isinstance(only, list) or not all(isinstance(name, str) for name in only):
            raise ScenarioError(f"{source}: only = {only!r} must be a list of names of campaigns")
        known = parent.get("campaigns", {})
        if missing := [name for name in only if name not in known]:
            raise ScenarioError(
                f"{source}: only names {missing}, which {base!r} lacks; it has {sorted(known)}"
            )
        parent["campaigns"] = {name: known[name] for name in only}
    return _merge(parent, tree)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise ScenarioError(
            f"{path}: byte {problem.start} is not UTF-8: save the file in the encoding UTF-8"
        ) from None
    except OSError as problem:
        raise ScenarioError(f"{path}: cannot be read: {problem.strerror}") from None


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        merged[key] = _merge(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return merged
