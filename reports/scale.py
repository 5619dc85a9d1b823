"""What each 1 spent brought back, drawn on a logarithmic scale, the same for all rows of a page or paper."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

CLOSE, FAR = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Marks of the scale where all returns lie within ten times the cost, and where some lie beyond."""
WIDTH = 240


@dataclass(frozen=True, slots=True)
class Span:
    """What each 1 spent brought back.

    Attributes
    ----------
    back : float, optional
        What is credited for each 1; None where only its interval is known.
    low, high : float, optional
        Between what it lies if other buyers had come.
    """

    back: float | None
    low: float | None = None
    high: float | None = None


def steps_of(spans: Iterable[Span | None]) -> Sequence[float]:
    """Return the marks of the scale: the closer ones where they reach as far as the returns do.

    Parameters
    ----------
    spans : iterable of Span or None
        What is drawn on it.

    Returns
    -------
    sequence of float
        `CLOSE` or `FAR`.
    """
    # Where only an interval is known, all of it is to be seen.
    ends = (span.high if span.back is None else span.back for span in spans if span)
    return FAR if any(end is not None and end > CLOSE[-1] for end in ends) else CLOSE


def place(back: float, steps: Sequence[float] = CLOSE) -> float:
    """Return where what each 1 brought back lies.

    Parameters
    ----------
    back : float
        Credited revenue / cost.
    steps : sequence of float, default `CLOSE`
        The marks of the scale, rising.

    Returns
    -------
    float
        From 0 to 240; beyond the ends of the scale, at them.
    """
    clipped = min(max(back, steps[0]), steps[-1])
    part = math.log(clipped / steps[0]) / math.log(steps[-1] / steps[0])
    return round(8 + part * (WIDTH - 16), 1)


def row(span: Span | None, steps: Sequence[float] = CLOSE) -> str:
    """Return one row of the scale as SVG, in the colour of the words around it.

    Parameters
    ----------
    span : Span, optional
        What to draw; None draws the lines of the scale alone.
    steps : sequence of float, default `CLOSE`
        The marks of the scale, rising.

    Returns
    -------
    str
        A picture without words and without style: nothing in it comes from a user.
    """
    grid = "".join(f"M{place(step, steps)} 0v20" for step in steps if step != 1)
    parts = [f'<path d="{grid}" stroke="currentColor" stroke-opacity=".16"/>']
    if 1 in steps:
        parts.append(f'<path d="M{place(1, steps)} 0v20" stroke="currentColor" stroke-dasharray="3 2"/>')
    if span and span.low is not None and span.high is not None:
        first, last = place(span.low, steps), place(span.high, steps)
        parts.append(
            f'<rect x="{first}" y="5" width="{max(last - first, 2):.1f}" height="10" rx="5" fill="#6b93c4" '
            'fill-opacity=".35" stroke="#6b93c4"/>'
        )
    if span and span.back is not None:
        x = place(span.back, steps)
        parts.append(f'<path d="M{x} 3.5l6.5 6.5-6.5 6.5-6.5-6.5z" fill="currentColor"/>')
    known = [end for end in (span.back, span.low, span.high) if end is not None] if span else []
    if known and max(known) > steps[-1]:
        parts.append('<path d="M235 6l4 4-4 4" fill="none" stroke="currentColor" stroke-width="1.5"/>')
    if known and min(known) < steps[0]:
        parts.append('<path d="M5 6l-4 4 4 4" fill="none" stroke="currentColor" stroke-width="1.5"/>')
    return _svg(20, parts)


def axis(write: Callable[[float], str], steps: Sequence[float] = CLOSE) -> str:
    """Return the figures above the scale as SVG.

    Parameters
    ----------
    write : callable
        Writes what each 1 brought back as the reader's language does.
    steps : sequence of float, default `CLOSE`
        The marks of the scale, rising.

    Returns
    -------
    str
        A picture with the figures as text.
    """

    def figure(step: float) -> str:
        # The outer figures stay within the picture.
        x, anchor = {steps[0]: (0.0, "start"), steps[-1]: (float(WIDTH), "end")}.get(
            step, (place(step, steps), "middle")
        )
        weight = "bold" if step == 1 else "normal"
        return (
            f'<text x="{x}" y="11" font-size="9.5" text-anchor="{anchor}" fill="currentColor" '
            f'font-weight="{weight}">{write(step)}</text>'
        )

    return _svg(14, [figure(step) for step in written(steps)])


def written(steps: Sequence[float]) -> Sequence[float]:
    """Return the marks that have room for their figure: of many every other one, break-even among them."""
    return steps[steps.index(1.0) % 2 :: 2] if len(steps) > len(CLOSE) else steps


def _svg(height: int, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="span" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" aria-hidden="true">{"".join(parts)}</svg>'
    )
