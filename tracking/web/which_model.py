"""Which model to use: whether moving budget beats leaving it, under what the supplier believes."""

from typing import Any

import pyarrow.compute as pc
from flask import redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from reports.evidence import LEAST_DEALS_IN_ALL
from simulator import which_model as study
from simulator.beliefs import QUESTIONS, Beliefs
from tracking.access import jobs
from tracking.errors import Invalid, say
from tracking.reporting import roi, simulations
from tracking.reporting.simulations import new_token
from tracking.web import forms, pages, tried_moves
from tracking.web.pages import EVERYONE, MARKETERS, Work
from tracking.web.scenario_words import scenario_words

Page = tuple[str, int, dict[str, str]]
# Tests that pay most; those of the campaigns of the best move stand below them.
_TESTS = 5


@pages.page("/simulator/which-model", EVERYONE)
def which_model() -> Page:
    return _page(None)


@pages.page("/simulator/decide", MARKETERS, methods=("POST",))
def decide_budget() -> Page | AnyResponse:
    def work(job: Work) -> int:
        limits = simulations.LEAST_ACCOUNTS, simulations.MOST_ACCOUNTS
        accounts = forms.between("accounts", *limits) if forms.text("accounts") else None
        arguments = {"token": new_token(), "accounts": accounts, "seed": 0}
        job.note("simulation decide", str(arguments["accounts"] or ""))
        told, by = say("Try budget moves in our market"), job.user.email
        return jobs.enqueue(job.session, "decide", told, arguments, by=by, at=job.at).id

    try:
        pages.change(work)
    except Invalid as error:
        return _page(error)
    return redirect(url_for("web.which_model"), 303)


def _page(problem: Invalid | None) -> Page:
    with pages.reading() as session:
        asked = pages.report_query(session)
        snapshot = pages.current_snapshot(session)
        running, failed, found = tried_moves.latest(session)
    beliefs, wrong = _beliefs()
    advice: dict[str, Any] = {}
    if found:
        from simulator import advise, information
        from simulator.decide import from_plain

        trial = from_plain(found["trial"])
        advice["trial"] = trial
        advice["advice"] = advise.advise(trial, beliefs)
        advice["others"] = [advise.advise(trial, each) for each in beliefs.others()]
        advice["effects"] = information.effects(trial, beliefs)
        advice["held"] = information.held()
        advice["otherwise"] = information.otherwise(trial, beliefs)
        pauses = information.pauses(trial, beliefs)
        named = best.move if (best := advice["advice"].row) and best.move else ()
        advice["pauses"] = pauses
        most = enumerate(pauses)
        advice["shown_pauses"] = [one for at, one in most if at < _TESTS or one.campaign in named]
        advice["few"] = found["won"] < LEAST_DEALS_IN_ALL
        advice["misfits"] = tried_moves.misfits(found)
    table, period = snapshot.tables, asked.period
    won = table.conversions.filter(pc.equal(table.conversions["goal"], "won"))["converted_at"]
    count = int(pc.sum(period.holds(won)).as_py() or 0)
    ranked, chance = study.trust(count), study.chance(count)
    problem = problem or asked.problem or wrong
    page = render_template(
        "simulator/which_model.html",
        **advice,
        found=found,
        running=running,
        failed=None if running else failed,
        beliefs=beliefs,
        questions=question_words(),
        answers=answer_words(),
        families=family_words(),
        least_deals=LEAST_DEALS_IN_ALL,
        limits=simulations,
        asked=asked,
        deals=count,
        studied=study.studied(count),
        chance=chance,
        ranked=ranked,
        uncovered=study.uncovered(roi.REPORTED, count),
        rules=study.rules(),
        beats=study.beats_leaving(count),
        better_in=study.worlds_better_than_leaving(count),
        worlds=len(study.study()["worlds"]) - 1,
        near=[each.model for each in ranked if each.near],
        asked_rate=roi.attended(snapshot, period)["asked_rate"],
        words=scenario_words(),
        snapshot=snapshot,
        problem=problem,
    )
    # Whoever only asked how far it is gets all anew once it is over.
    over = request.headers.get("HX-Request") and not running
    return page, pages.status_of(problem), {"HX-Refresh": "true"} if over else {}


def question_words() -> dict[str, str]:
    """Return the three questions about the supplier's market."""
    return {
        "anyway": gettext("How many orders would come without any advertising?"),
        "role": gettext("What do campaigns mostly do?"),
        "nothing": gettext("How many campaigns do nothing?"),
    }


def answer_words() -> dict[str, dict[str, str]]:
    """Return the answers to each question."""
    unsure = gettext("not sure")
    return {
        "anyway": {
            "few": gettext("few: 15 to 40 of 100"),
            "half": gettext("about half: 40 to 65 of 100"),
            "most": gettext("most: 65 to 90 of 100"),
            "unsure": unsure,
        },
        "role": {
            "open": gettext("open doors"),
            "convince": gettext("convince step by step"),
            "close": gettext("close the deal"),
            "unsure": unsure,
        },
        "nothing": {
            "none": gettext("almost none"),
            "some": gettext("some: 10 to 40 of 100"),
            "many": gettext("many: 40 to 70 of 100"),
            "unsure": unsure,
        },
    }


def family_words() -> dict[str, str]:
    """Return what each way in which campaigns may work is called."""
    return {
        "introduction": gettext("The first contact gets us on the shortlist"),
        "last push": gettext("The last contact makes them call"),
        "committee": gettext("Each contact convinces one more buyer"),
        "fading": gettext("Contacts fade within weeks"),
        "unseen work": gettext("Untracked contacts do the work"),
        "step by step": gettext("Some campaigns open, others close"),
        "no effect": gettext("No campaign has any effect"),
    }


def _beliefs() -> tuple[Beliefs, Invalid | None]:
    """Return what the address says is believed; what is no answer is named, and the default holds."""
    told = {}
    for question, offered in QUESTIONS.items():
        answer = request.args.get(question, getattr(Beliefs(), question))
        if answer not in offered:
            return Beliefs(), Invalid(
                question, "%(told)r is not an option; choose one from the list", told=answer
            )
        told[question] = answer
    return Beliefs(**told), None
