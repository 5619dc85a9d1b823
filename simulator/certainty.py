"""When a difference is called one; apart, so that pages can ask without loading the simulator."""

from __future__ import annotations


def told_from_zero(gain: float, error: float | None) -> bool | None:
    """Return whether a gain lies above 0 by more than two standard errors; None where it cannot be told.

    Parameters
    ----------
    gain : float
        In any unit.
    error : float or None
        Its standard error in the same; None where it is not known, 0 where nothing varies.

    Returns
    -------
    bool or None
        True above 0, False not above it.

    Examples
    --------
    >>> told_from_zero(5, 2), told_from_zero(5, 3), told_from_zero(-5, 2), told_from_zero(0, 0)
    (True, None, False, False)
    """
    if error is None or (error and abs(gain) <= 2 * error):
        return None
    return gain > 0
