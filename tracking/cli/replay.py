"""Playing simulated calls to a running service, to see that it loses nothing."""

import click

from tracking import clock
from tracking.cli.installation import (
    Installation,
    Number,
    Whole,
    console,
    counted,
    json_option,
    pass_installation,
)
from tracking.demo import replay
from tracking.errors import Invalid
from tracking.telephony.providers.twilio import TwilioSettings

_SHOWN = 20


@click.command("replay")
@click.option(
    "--base-url", default="http://127.0.0.1:8000", show_default=True, help="Address of the running service."
)
@click.option("--token", required=True, help="API token with the scopes read and read:personal.")
@click.option("--rate", type=Number(min=0.01), default=20, show_default=True, help="Calls per second.")
@click.option(
    "--scenario", default="supplier", show_default=True, help="Scenario, see `ringtrail simulate --list`."
)
@click.option("--accounts", type=Whole(1), default=300, show_default=True, help="Number of buying companies.")
@click.option("--days", type=Whole(1), default=30, show_default=True, help="Simulated days, up to now.")
@click.option(
    "--seed", type=Whole(0), default=1, show_default=True, help="Seed; the same seed gives the same calls."
)
@json_option
@pass_installation
def replay_command(
    installation: Installation,
    base_url: str,
    token: str,
    rate: float,
    scenario: str,
    accounts: int,
    days: int,
    seed: int,
) -> None:
    """Send simulated calls to a running service as signed webhooks, then check what it stored.

    Some events come twice or out of order, as from real providers. The service must have tracking numbers,
    and RINGTRAIL_TWILIO_AUTH_TOKENS must be the same here and there. Use a test installation: the calls are
    kept. Exit code 1 if anything is lost or differs.
    """
    keys = installation.settings.of(TwilioSettings).auth_tokens
    if not keys:
        raise Invalid("twilio_auth_tokens", "set RINGTRAIL_TWILIO_AUTH_TOKENS to the value of the service")
    base_url = base_url.rstrip("/")
    stock = replay.ask(base_url, token, "tracking-numbers", {"status": "active"})
    calls = replay.simulate(
        [row["number"] for row in stock],
        clock.now(),
        scenario=scenario,
        accounts=accounts,
        days=days,
        seed=seed,
    )
    if not calls:
        raise Invalid("days", "no calls in that time; simulate more days or accounts")
    key = keys[0].get_secret_value()
    with console().status(f"{counted(len(calls), 'call')} …"):
        played = replay.play(calls, base_url, key, rate=rate, seed=seed)
    stored = replay.ask(base_url, token, "calls", {"from": calls[0].started_at.isoformat()})
    wrong = replay.differences(calls, stored)
    if installation.as_json:
        installation.tell_json(
            {
                "calls": played.calls,
                "requests": played.requests,
                "refused": played.refused,
                "seconds": round(played.seconds, 2),
                "times_the_busiest_hour": round(played.load, 1),
                "differences": wrong,
            }
        )
    else:
        click.echo(
            f"{counted(played.calls, 'call')} in {counted(played.requests, 'request')}, "
            f"{played.refused} rejected, in {played.seconds:.1f} s: "
            f"{played.load:.0f} times the load of the busiest simulated hour."
        )
        if wrong:
            columns = {"call": "Call", "field": "Field", "happened": "Happened", "stored": "Stored"}
            installation.show(wrong[:_SHOWN], columns, f"{counted(len(wrong), 'difference')}:")
        else:
            click.echo("All calls were stored correctly.")
    raise SystemExit(1 if wrong or played.refused else 0)
