"""Every parameter of a simulated market, with its unit, its range and its meaning."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from simulator.meetings import AUDIENCES
from simulator.observer_parameters import Observer
from simulator.ranges import (
    MOST_MET,
    ROLES,
    Activity,
    Days,
    Effects,
    Money,
    Multiplier,
    Part,
    ScenarioError,
    Share,
    Sigma,
    Weight,
    Weights,
    weighed_list,
)

__all__ = ["ROLES", "Campaign", "Desk", "Need", "Scenario", "ScenarioError"]


class Size(Part):
    """A size class of buying companies."""

    share: Weight = Field(description="weight among companies, any scale")
    group_mean: float = Field(ge=1.0, le=30.0, description="people in the buying group, mean of 1 + Poisson")
    demand: float = Field(
        ge=0.0, le=100.0, description="multiplier of the need rate, 1 = as stated under needs"
    )


class Market(Part):
    """Who could buy."""

    industries: Weights = Field(description="weight per industry, any scale")
    regions: Weights = Field(description="weight per region, any scale")
    sizes: dict[str, Size] = Field(min_length=1)
    region_demand: dict[str, Multiplier] = Field(
        default_factory=dict, description="multiplier of the need rate per region, 1 where not named"
    )
    demand_sigma: Sigma = Field(
        default=0.0,
        description="spread of the need rate among companies alike, standard deviation of its logarithm",
    )
    price_level: float = Field(
        default=1.0, ge=0.1, le=10.0, description="our prices as a multiple of the rivals'"
    )
    colleagues_told: Share = Field(
        default=0.0, description="chance that who met a campaign tells another of the buying group"
    )

    @model_validator(mode="after")
    def _has_companies(self) -> Market:
        if not any(size.share for size in self.sizes.values()):
            raise ValueError("at least one of sizes must have a share above 0")
        if unknown := set(self.region_demand) - set(self.regions):
            raise ValueError(f"region_demand names {sorted(unknown)}, which regions lacks")
        return self


class Shock(Part):
    """A time in which demand is higher or lower everywhere."""

    from_day: float = Field(ge=-3650.0, le=3650.0, description="first day, counted as for flights")
    to_day: float = Field(ge=-3650.0, le=4015.0, description="last day, exclusive")
    demand: Multiplier = Field(description="multiplier of the need rate")

    @model_validator(mode="after")
    def _runs_forward(self) -> Shock:
        if self.to_day <= self.from_day:
            raise ValueError(f"to_day {self.to_day:g} must be later than from_day {self.from_day:g}")
        return self


class Economy(Part):
    """What moves the demand of all companies together, beside the season."""

    month_sigma: Sigma = Field(
        default=0.0, description="spread of demand from month to month, standard deviation of its logarithm"
    )
    shocks: list[Shock] = Field(default_factory=list)


class Need(Part):
    """One kind of need and the course it takes."""

    per_year: float = Field(ge=0.0, le=50.0, description="needs a year and company of demand 1")
    season: Annotated[list[Weight], AfterValidator(weighed_list)] = Field(
        min_length=12, max_length=12, description="weight of each month, any scale"
    )
    shortlist_days: Days = Field(description="mean days from need to shortlist at hazard weight 1")
    contact_days: Days = Field(description="mean days from shortlist to first contact at hazard weight 1")
    lifetime_days: Days = Field(description="median days until the need ends without us")
    lifetime_sigma: Sigma = Field(description="spread of that time, standard deviation of its logarithm")
    lost_share: Share = Field(
        description="share of such ends that are a competitor's win; the rest are no decision"
    )
    qualify_rate: Share = Field(description="share of reached enquiries that qualify")
    quote_days: Days = Field(description="median days from first contact to the quote")
    quote_sigma: Sigma = Field(description="standard deviation of the logarithm of the quote time")
    decision_days: Days = Field(description="mean days from quote to order at hazard weight 1")
    value_minor: float = Field(
        gt=0.0, le=1e11, description="median order value in minor units of the currency"
    )
    value_sigma: Sigma = Field(description="standard deviation of the logarithm of the order value")
    margin: Share = Field(description="gross margin as a share of the order value")
    repeat_per_year: float = Field(ge=0.0, le=50.0, description="repeat orders a year while the buyer stays")
    repeat_end: float = Field(gt=0.0, le=1.0, description="chance that the buyer leaves after each order")
    repeat_win: Share = Field(default=1.0, description="share of repeat orders asked for that we get")
    repeat_phone: Share = Field(
        default=0.0,
        description="share of them asked for by telephone; the rest leave no trace before the order",
    )
    deciders: int = Field(
        default=1,
        ge=1,
        le=30,
        description="people of the buying group, at most, who must all agree; 1 = one decides on all that"
        " the company met",
    )
    rivals: float = Field(default=0.0, ge=0.0, le=50.0, description="other quotes beside ours, mean")
    price_elasticity: float = Field(
        default=0.0, ge=0.0, le=20.0, description="how strongly the price level tells against rivals"
    )
    tender: Share = Field(default=0.0, description="share of needs put out to tender on a fixed day")
    tender_days: Days = Field(default=30.0, description="median days from need to the request for quotes")
    tender_rivals: float = Field(default=0.0, ge=0.0, le=50.0, description="rivals in a tender, mean")
    quote_hours: float = Field(
        default=0.0, ge=0.0, le=1_000.0, description="median working hours that a quote takes a salesperson"
    )


class Flight(Part):
    """An interval in which a campaign runs."""

    from_day: float = Field(
        ge=-3650.0,
        le=3650.0,
        description="first day, counted from the scenario's start; negative is before it",
    )
    to_day: float = Field(ge=-3650.0, le=4015.0, description="last day, exclusive")
    exposures: float = Field(
        ge=0.0, le=MOST_MET, description="exposures per company reached over the whole flight"
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Flight:
        if self.to_day <= self.from_day:
            raise ValueError(f"to_day {self.to_day:g} must be later than from_day {self.from_day:g}")
        return self


class Pause(Part):
    """A time in which a campaign does not run in some regions: a hold-out."""

    from_day: float = Field(ge=-3650.0, le=3650.0, description="first day, counted as for flights")
    to_day: float = Field(ge=-3650.0, le=4015.0, description="last day, exclusive")
    regions: list[str] = Field(default_factory=list, description="where; empty = everywhere")

    @model_validator(mode="after")
    def _runs_forward(self) -> Pause:
        if self.to_day <= self.from_day:
            raise ValueError(f"to_day {self.to_day:g} must be later than from_day {self.from_day:g}")
        return self


class Campaign(Part):
    """Something one can pay for or leave: schedule, reach, effect, traces and cost."""

    channel: str = Field(min_length=1)
    audience: str = Field(description="whom it reaches, one of `simulator.meetings.AUDIENCES`")
    per_year: float = Field(
        default=0.0,
        ge=0.0,
        le=MOST_MET,
        description="exposures a year and company (or year of open need), all year",
    )
    flights: list[Flight] = Field(default_factory=list)
    industries: dict[str, Multiplier] = Field(
        default_factory=dict, description="multiplier of the exposures per industry, 1 where not named"
    )
    regions: dict[str, Multiplier] = Field(
        default_factory=dict, description="multiplier of the exposures per region, 1 where not named"
    )
    reaches: Share = Field(
        default=1.0,
        description="share of the companies that it can reach at all; those best known to us come first, so"
        " that campaigns reach the same ones",
    )
    roles: dict[str, Weight] = Field(
        default_factory=dict, description="weight of meeting somebody of this role, 1 where not named"
    )
    pauses: list[Pause] = Field(default_factory=list, description="when and where it does not run")
    diminishing: float = Field(
        default=0.0,
        ge=0.0,
        le=100.0,
        description="d in (1 + d)s / (1 + ds), the meetings at s times the spend; 0 = in proportion",
    )
    impulse: Effects = Field(
        default_factory=dict,
        description="push of an exposure at once, in means of the stage's exponential wait",
    )
    lift: Effects = Field(
        default_factory=dict,
        description="added hazard weight after an exposure, 1 = as much as organic demand",
    )
    half_life_days: float = Field(
        default=14.0, gt=0.0, le=730.0, description="days until a lift halves; it ends after three of them"
    )
    value_lift: float = Field(
        default=0.0, ge=0.0, le=5.0, description="share by which an order grows if the buyer met the campaign"
    )
    idle_enquiry: Share = Field(
        default=0.0, description="chance that an exposure yields an enquiry without a need"
    )
    response: Share = Field(default=0.0, description="chance that an exposure leaves a tracked response")
    response_kind: Literal["visit", "form", "message", "event"] = "visit"
    brand_echo: Share = Field(
        default=0.0, description="chance that an exposure is followed by a brand search visit"
    )
    number: Literal["own", "pool", "none"] = Field(description="what number the material carries")
    salience: Weight = Field(
        default=1.0,
        description="weight in the memory of a caller naming what stands out; 0 = never named or dialled",
    )
    fixed_minor: Money = Field(
        default=0.0, description="booked cost a year in minor units, whatever the reach"
    )
    variable_minor: Money = Field(
        default=0.0,
        description="cost a year and 1,000 companies in minor units, proportional to the spend scale",
    )

    @model_validator(mode="after")
    def _audience_fits(self) -> Campaign:
        if self.audience not in AUDIENCES:
            raise ValueError(f"audience {self.audience!r} must be one of {', '.join(AUDIENCES)}")
        if self.flights and not AUDIENCES[self.audience].flights:
            raise ValueError(
                f"a campaign for {AUDIENCES[self.audience].about} runs all year: "
                "use per_year instead of flights"
            )
        return self


class Organic(Part):
    """Demand that comes without any campaign, as hazard weights."""

    shortlist: Weight = Field(description="hazard weight without any campaign, 1 = the need's stated mean")
    contact: Weight = Field(description="as above, from shortlist to contact")
    win: Weight = Field(description="as above, from quote to order")
    saturation: Weight = Field(
        default=0.0,
        description="ceiling that the campaigns' joint lift approaches; 0 = none, lifts simply add",
    )


class Calendar(Part):
    """When in the week buyers are active."""

    days: list[Activity] = Field(min_length=7, max_length=7, description="weight of Monday to Sunday")
    hours: list[Activity] = Field(min_length=24, max_length=24, description="weight of each hour of the day")


class Contact(Part):
    """How a buyer makes contact; what is left over is in person and leaves no trace."""

    phone: Share
    form: Share
    message: Share
    follow_ups: float = Field(
        ge=0.0, le=20.0, description="further calls per reached telephone enquiry, mean"
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> Contact:
        if self.phone + self.form + self.message > 1.0 + 1e-9:
            raise ValueError("phone + form + message must not be more than 1")
        return self


class Desk(Part):
    """The telephone desk."""

    reps: int = Field(
        ge=0, le=10_000, description="people answering; 0 = everyone is answered at once, day and night"
    )
    lines: int = Field(ge=0, le=20_000, description="calls that fit at once, waiting ones included")
    open_hour: float = Field(ge=0.0, le=24.0)
    close_hour: float = Field(ge=0.0, le=24.0)
    open_days: list[Annotated[int, Field(ge=0, le=6)]] = Field(description="0 = Monday")
    holidays: list[dt.date] = Field(default_factory=list)
    patience_s: float = Field(gt=0.0, le=1e9, description="mean seconds a caller waits, exponential")
    talk_law: Literal["lognormal", "exponential"] = Field(
        default="lognormal", description="'exponential' is what Erlang's formulas assume"
    )
    talk_s: float = Field(
        gt=0.0, le=86_400.0, description="median seconds of talk, of the exponential law the mean"
    )
    talk_sigma: Sigma = Field(description="standard deviation of the logarithm of the talk time")
    voicemail: Share = Field(description="chance that an unanswered caller leaves a message")
    call_back: Share = Field(description="chance that a message is answered at the next opening")
    retry: Share = Field(description="chance that an unanswered caller without call-back tries again")
    retry_hours: float = Field(gt=0.0, le=10_000.0, description="mean hours to the next try, exponential")
    attempts: int = Field(ge=1, le=20, description="tries at most")
    junk_per_day: float = Field(
        ge=0.0, le=100_000.0, description="sales calls, robots and wrong numbers a day"
    )
    customer_calls_per_day: float = Field(
        ge=0.0,
        le=100_000.0,
        description="calls of existing customers about other matters, a day and 1,000 companies",
    )
    day_sigma: Sigma = Field(
        default=0.0, description="spread of both from day to day, standard deviation of the logarithm"
    )

    @model_validator(mode="after")
    def _is_open_some_time(self) -> Desk:
        if self.reps and self.lines < self.reps:
            raise ValueError(f"lines {self.lines} must be at least reps {self.reps}")
        if self.reps and (self.close_hour <= self.open_hour or not self.open_days):
            raise ValueError(
                "the desk never opens: give close_hour after open_hour and at least one of open_days"
            )
        return self


class Sales(Part):
    """The people who write quotes, one quote after the other, while the desk is open."""

    people: int = Field(default=0, ge=0, le=10_000, description="0 = nobody waits for a quote to be written")


class Scenario(Part):
    """A whole world: market, needs, campaigns, desk and observer."""

    name: str
    description: str
    start: dt.date = Field(
        ge=dt.date(1970, 1, 1), le=dt.date(2199, 12, 31), description="first day of the window"
    )
    accounts: int = Field(ge=1, le=50_000_000, description="companies, unless the caller says otherwise")
    days: int = Field(ge=1, le=3650, description="length of the reporting window")
    warmup_days: int = Field(
        ge=0, le=3650, description="days simulated before the window so that it opens on a full pipeline"
    )
    tail_days: int = Field(
        ge=0, le=3650, description="days after the window in which effects are still counted as late"
    )
    currency: str = Field(pattern="^[A-Z]{3}$")
    utc_offset_hours: float = Field(ge=-12.0, le=14.0, description="the supplier's clock; no summer time")
    market: Market
    needs: dict[str, Need] = Field(min_length=1)
    organic: Organic
    calendar: Calendar
    campaigns: dict[str, Campaign] = Field(default_factory=dict)
    contact: Contact
    desk: Desk
    sales: Sales = Field(default_factory=Sales)
    economy: Economy = Field(default_factory=Economy)
    observer: Observer

    @model_validator(mode="after")
    def _names_agree(self) -> Scenario:
        if self.sales.people and (self.desk.close_hour <= self.desk.open_hour or not self.desk.open_days):
            raise ValueError("sales.people write while the desk is open, and the desk never opens")
        for name, campaign in self.campaigns.items():
            if unknown := set(campaign.industries) - set(self.market.industries):
                raise ValueError(
                    f"campaigns.{name}.industries names {sorted(unknown)}, which market.industries lacks"
                )
            named = {*campaign.regions, *(region for each in campaign.pauses for region in each.regions)}
            if unknown := named - set(self.market.regions):
                raise ValueError(
                    f"campaigns.{name}.regions or pauses names {sorted(unknown)}, which market.regions lacks"
                )
            if unknown := set(campaign.roles) - set(ROLES):
                raise ValueError(f"campaigns.{name}.roles names {sorted(unknown)}; roles are {list(ROLES)}")
            if name.startswith("("):
                raise ValueError(
                    f"campaigns.{name}: names in brackets are kept for traffic without a campaign"
                )
        return self
