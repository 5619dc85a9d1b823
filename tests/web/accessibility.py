"""What every page keeps: axe's rules for WCAG 2.2 AA, and what axe cannot see."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def findings(page: Page, rules: list[str] | None = None, leaving_out: str = "") -> list[str]:
    """Return what axe finds wrong, as rule and place; by all rules of WCAG 2.2 AA, or by some named ones.

    ``leaving_out`` selects what has been judged on another page.
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_AXE)
    # What passes is not told: a selector for each element of a page takes longer than to judge it.
    run = """([context, type, values]) =>
        axe.run(context, {runOnly: {type, values}, resultTypes: ['violations']})"""
    context = {"include": [["html"]], "exclude": [[leaving_out]] if leaving_out else []}
    result: dict[str, Any] = page.evaluate(run, [context, *(["rule", rules] if rules else ["tag", _TAGS])])
    return [f"{v['id']}: {node['html'][:120]}" for v in result["violations"] for node in v["nodes"]]


def reflows(page: Page, width: int = 320) -> bool:
    """Tell whether the page itself needs no sideways scrolling at this width (WCAG 1.4.10)."""
    page.set_viewport_size({"width": width, "height": 800})
    fits: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return fits


def unseen_focus(page: Page) -> list[str]:
    """Give the focus to all that Tab stops at; return what does not show it, or is under something else."""
    # After a key, what a script gives the focus shows it as what Tab gives it to.
    page.keyboard.press("Tab")
    look = """() => {
        window.scrollTo(0, 0);
        const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
        return [...document.querySelectorAll(stops)].filter(e => {
            if (e.tabIndex < 0) return false;
            e.focus();
            if (document.activeElement !== e) return false;
            const box = e.getBoundingClientRect(), style = getComputedStyle(e);
            const shown = e.matches(':focus-visible')
                && (style.outlineStyle !== 'none' || style.boxShadow !== 'none');
            // A table may be higher than the window, and begin above it.
            const y = (Math.max(box.top, 0) + Math.min(box.bottom, window.innerHeight)) / 2;
            const top = document.elementFromPoint(box.x + box.width / 2, y);
            const seen = top && (e.contains(top) || top.contains(e) || top.closest('label')?.contains(e));
            return !(shown && seen);
        }).map(e => e.outerHTML.slice(0, 120));
    }"""
    lost: list[str] = page.evaluate(look)
    return lost


def too_small(page: Page, least: int = 24) -> list[str]:
    """Return what is to be hit and is smaller than 24 pixels; words within a text may be (WCAG 2.5.8)."""
    look = """least => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 0)
        .filter(e => !e.closest('p, li, td, th, dd, dt, dl, small, legend, .skip, .views'))
        .filter(e => { const box = (e.closest('label') ?? e).getBoundingClientRect();
                       return box.height < least - 0.1 || box.width < least - 0.1; })
        .map(e => e.outerHTML.slice(0, 120))"""
    found: list[str] = page.evaluate(look, least)
    return found


def dragged(page: Page) -> list[str]:
    """Return what can be dragged; nothing here may need it (WCAG 2.5.7)."""
    look = """() => [...document.querySelectorAll('[draggable=true], [ondragstart], input[type=range]')]
        .map(e => e.outerHTML.slice(0, 120))"""
    found: list[str] = page.evaluate(look)
    return found
