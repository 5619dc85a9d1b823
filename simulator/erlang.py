"""Closed forms for lines, people and visitor pools that are offered calls and views at a steady rate."""

from __future__ import annotations

from simulator.chance import poisson_probabilities


def erlang_b(servers: int, load: float) -> float:
    """Chance that a call finds every line engaged, when engaged callers go away.

    Parameters
    ----------
    servers : int
        Lines, 0 or more.
    load : float
        Offered load in erlangs: calls per hour times mean hours per call, 0 or more.

    Returns
    -------
    float
        Lost calls as a share of calls, 0 to 1.

    Raises
    ------
    ValueError
        If an argument is negative.

    Notes
    -----
    Callers who try again offer more load than this formula sees. The share does not depend on the shape of
    the distribution of talk times, only on its mean, and so holds for leases of fixed length too.

    References
    ----------
    .. [1] A. K. Erlang, 1917; the recursion over servers avoids the factorials.

    Examples
    --------
    >>> round(erlang_b(2, 1.0), 4)
    0.2
    """
    if servers < 0 or load < 0:
        raise ValueError(f"servers {servers} and load {load} must not be negative")
    blocked = 1.0
    for line in range(1, servers + 1):
        blocked = load * blocked / (line + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Chance that a call has to wait, when everyone waits until served.

    Parameters
    ----------
    servers : int
        People answering, 1 or more.
    load : float
        Offered load in erlangs, 0 or more.

    Returns
    -------
    float
        Waiting calls as a share of calls, 0 to 1; 1 if the load is not below the number of people.

    Raises
    ------
    ValueError
        If there is no server or the load is negative.

    Notes
    -----
    Nobody gives up in this model, so it overstates waiting where patience is short.

    References
    ----------
    .. [1] A. K. Erlang, 1917.

    Examples
    --------
    >>> round(erlang_c(3, 2.4), 4)
    0.6472
    """
    if servers < 1 or load < 0:
        raise ValueError(f"servers {servers} must be at least 1 and load {load} not negative")
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return blocked / (1.0 - (load / servers) * (1.0 - blocked))


def mean_wait(servers: int, load: float, talk: float) -> float:
    """Mean wait before a call is answered, when everyone waits until served.

    Parameters
    ----------
    servers : int
        People answering, 1 or more.
    load : float
        Offered load in erlangs, below `servers`.
    talk : float
        Mean talk time, in the unit wanted for the wait; exponential.

    Returns
    -------
    float
        Mean over all calls, those answered at once included; infinite if the load is not below `servers`.

    Examples
    --------
    >>> round(mean_wait(3, 2.4, 1.0), 4)
    1.0787
    """
    return erlang_c(servers, load) * talk / (servers - load) if load < servers else float("inf")


def reshown(numbers: int, views: float) -> float:
    """Chance that a number is shown to somebody else before its viewer calls.

    Parameters
    ----------
    numbers : int
        Pool size, 1 or more; the number unused longest is always shown next.
    views : float
        Mean number of views by others between the view and the call, 0 or more.

    Returns
    -------
    float
        P(Poisson(views) >= numbers), 0 to 1.

    Raises
    ------
    ValueError
        If there is no number or the mean is negative.

    Notes
    -----
    Holds for one delay between view and call; `pool_for` uses a high percentile of the delays, which errs on
    the safe side.

    Examples
    --------
    >>> round(reshown(12, 6.0), 4)
    0.0201
    """
    if numbers < 1 or views < 0:
        raise ValueError(f"numbers {numbers} must be at least 1 and views {views} not negative")
    first, probabilities = poisson_probabilities(views)
    return float(probabilities[max(0, numbers - first) :].sum())
