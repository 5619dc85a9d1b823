"""What simulated markets are about, in the words of their readers."""

from flask_babel import gettext


def scenario_words() -> dict[str, str]:
    """Return what each scenario that comes with Ringtrail is about."""
    return {
        "supplier": gettext("Pump supplier: nine campaigns, many calls, imperfect tracking"),
        "forgetful": gettext("Pump supplier, but most callers misremember how they found you"),
        "offline": gettext("Trade shows, print and referrals work untracked, but buyers mention them"),
        "first-opens": gettext(
            "The campaign that gets you on the shortlist does the work; the rest only guide the buyer"
        ),
        "last-wins": gettext("Only the last contact before the call matters, and its number is called"),
        "relay": gettext("Opening and closing campaigns need each other; everything is tracked"),
        "slow-drip": gettext(
            "Each contact makes an order slightly more likely, for a long time; everything is tracked"
        ),
        "breakdown": gettext(
            "A part breaks and the supplier found that day gets the order; the rest is noise"
        ),
        "introduction": gettext("One introduction does all the work; brand searches and calls follow"),
        "committee": gettext(
            "Each contact convinces one more member of a buying committee that decides months later"
        ),
        "fading": gettext("A contact loses half its effect in 30 days; what remains at decision time counts"),
        "bookends": gettext("One contact opens, one closes; half of the buyers need one in between"),
        "one-touch": gettext("One campaign per buyer and no demand without it: every model is right"),
        "placebo": gettext("No campaign has any effect: every order would have come anyway"),
        "calibrated": gettext("A market built from our data"),
    }


def figure_words() -> dict[str, str]:
    """Return what the figures are called by which a simulated market is compared with a real one."""
    return {
        "orders": gettext("orders"),
        "clicks_per_account": gettext("visits, forms, messages and events for each company seen"),
        "phone_share": gettext("first calls for each first call, form and message"),
        "asked_share": gettext("share of inquirers who were asked"),
        "calls_per_account": gettext("calls for each known calling company"),
        "missed_share": gettext("share of known companies' calls without an answer"),
        "talk_median": gettext("median talk time in seconds"),
        "qualified_rate": gettext("companies with a qualified lead for each with a lead"),
        "won_rate": gettext("first orders for each opportunity"),
        "cycle_median": gettext("median days from opportunity to order"),
        "visit_share": gettext("share of touches that are visits"),
        "opportunity_rate": gettext("companies with an opportunity for each with a qualified lead"),
        "cycle_upper": gettext("upper quartile of days from opportunity to order"),
        "repeat_share": gettext("share of orders by companies that had ordered before"),
        "first_call_share": gettext("share of known companies' calls that are first calls"),
    }
