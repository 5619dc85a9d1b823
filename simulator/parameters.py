"""Every parameter of a simulated market, with its unit, its range and its meaning."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Positive: TypeAlias = Annotated[float, Field(gt=0.0)]
NonNegative: TypeAlias = Annotated[float, Field(ge=0.0)]
Weights: TypeAlias = Annotated[dict[str, NonNegative], Field(min_length=1)]

STAGES: Final = ("shortlist", "contact", "win")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Size(_Part):
    """A size class of buying companies."""

    share: NonNegative = Field(description="weight among companies, any scale")
    group_mean: float = Field(ge=1.0, le=30.0, description="people in the buying group, mean of 1 + Poisson")
    demand: NonNegative = Field(description="multiplier of the need rate, 1 = as stated under needs")


class Market(_Part):
    """Who could buy."""

    industries: Weights = Field(description="weight per industry, any scale")
    regions: Weights = Field(description="weight per region, any scale")
    sizes: dict[str, Size] = Field(min_length=1)


class Need(_Part):
    """One kind of need and the course it takes."""

    per_year: float = Field(ge=0.0, le=50.0, description="needs a year and company of demand 1")
    season: list[NonNegative] = Field(
        min_length=12, max_length=12, description="weight of each month, any scale"
    )
    shortlist_days: Positive = Field(description="mean days from need to shortlist at hazard weight 1")
    contact_days: Positive = Field(description="mean days from shortlist to first contact at hazard weight 1")
    lifetime_days: Positive = Field(description="median days until the need ends without us")
    lifetime_sigma: NonNegative = Field(
        description="spread of that time, standard deviation of its logarithm"
    )
    lost_share: Share = Field(
        description="share of such ends that are a competitor's win; the rest are no decision"
    )
    qualify_rate: Share = Field(description="share of reached enquiries that qualify")
    quote_days: Positive = Field(description="median days from first contact to the quote")
    quote_sigma: NonNegative = Field(description="standard deviation of the logarithm of the quote time")
    decision_days: Positive = Field(description="mean days from quote to order at hazard weight 1")
    value_minor: Positive = Field(description="median order value in minor units of the currency")
    value_sigma: NonNegative = Field(description="standard deviation of the logarithm of the order value")
    margin: Share = Field(description="gross margin as a share of the order value")
    repeat_per_year: float = Field(ge=0.0, le=50.0, description="repeat orders a year while the buyer stays")
    repeat_end: float = Field(gt=0.0, le=1.0, description="chance that the buyer leaves after each order")


class Effects(_Part):
    """What one exposure does to a stage."""

    shortlist: NonNegative = 0.0
    contact: NonNegative = 0.0
    win: NonNegative = 0.0

    def of(self, stage: str) -> float:
        """Return the effect on one of `STAGES`."""
        return float(getattr(self, stage))


class Flight(_Part):
    """An interval in which a campaign runs."""

    from_day: float = Field(description="first day, counted from the scenario's start; negative is before it")
    to_day: float = Field(description="last day, exclusive")
    exposures: float = Field(
        ge=0.0, le=200.0, description="exposures per company reached over the whole flight"
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Flight:
        if self.to_day <= self.from_day:
            raise ValueError(f"to_day {self.to_day:g} must be later than from_day {self.from_day:g}")
        return self


class Campaign(_Part):
    """Something one can pay for or leave: schedule, reach, effect, traces and cost."""

    channel: str = Field(min_length=1)
    audience: Literal["all", "researching"] = Field(
        description="'all' reaches companies at any time; 'researching' only while a need is open"
    )
    per_year: float = Field(
        default=0.0,
        ge=0.0,
        le=200.0,
        description="exposures a year and company (or year of open need), all year",
    )
    flights: list[Flight] = Field(default_factory=list)
    industries: dict[str, NonNegative] = Field(
        default_factory=dict, description="multiplier of the exposures per industry, 1 where not named"
    )
    impulse: Effects = Field(
        default_factory=Effects,
        description="push of an exposure at once, in means of the stage's exponential wait",
    )
    lift: Effects = Field(
        default_factory=Effects,
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
    salience: NonNegative = Field(
        default=1.0,
        description="weight in the memory of a caller naming what stands out; 0 = never named or dialled",
    )
    fixed_minor: NonNegative = Field(
        default=0.0, description="booked cost a year in minor units, whatever the reach"
    )
    variable_minor: NonNegative = Field(
        default=0.0,
        description="cost a year and 1,000 companies in minor units, proportional to the spend scale",
    )

    @model_validator(mode="after")
    def _searchers_have_no_flights(self) -> Campaign:
        if self.audience == "researching" and self.flights:
            raise ValueError(
                "a campaign for researching companies runs all year: use per_year instead of flights"
            )
        return self


class Organic(_Part):
    """Demand that comes without any campaign, as hazard weights."""

    shortlist: NonNegative = Field(
        description="hazard weight without any campaign, 1 = the need's stated mean"
    )
    contact: NonNegative = Field(description="as above, from shortlist to contact")
    win: NonNegative = Field(description="as above, from quote to order")
    saturation: NonNegative = Field(
        default=0.0,
        description="ceiling that the campaigns' joint lift approaches; 0 = none, lifts simply add",
    )


class Calendar(_Part):
    """When in the week buyers are active."""

    days: list[Positive] = Field(min_length=7, max_length=7, description="weight of Monday to Sunday")
    hours: list[Positive] = Field(min_length=24, max_length=24, description="weight of each hour of the day")


class Contact(_Part):
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


class Desk(_Part):
    """The telephone desk."""

    reps: int = Field(
        ge=0, le=10_000, description="people answering; 0 = everyone is answered at once, day and night"
    )
    lines: int = Field(ge=0, le=20_000, description="calls that fit at once, waiting ones included")
    open_hour: float = Field(ge=0.0, le=24.0)
    close_hour: float = Field(ge=0.0, le=24.0)
    open_days: list[Annotated[int, Field(ge=0, le=6)]] = Field(description="0 = Monday")
    holidays: list[dt.date] = Field(default_factory=list)
    patience_s: Positive = Field(description="mean seconds a caller waits, exponential")
    talk_law: Literal["lognormal", "exponential"] = Field(
        default="lognormal", description="'exponential' is what Erlang's formulas assume"
    )
    talk_s: Positive = Field(description="median seconds of talk, of the exponential law the mean")
    talk_sigma: NonNegative = Field(description="standard deviation of the logarithm of the talk time")
    voicemail: Share = Field(description="chance that an unanswered caller leaves a message")
    call_back: Share = Field(description="chance that a message is answered at the next opening")
    retry: Share = Field(description="chance that an unanswered caller without call-back tries again")
    retry_hours: Positive = Field(description="mean hours to the next try, exponential")
    attempts: int = Field(ge=1, le=20, description="tries at most")
    junk_per_day: NonNegative = Field(description="sales calls, robots and wrong numbers a day")
    customer_calls_per_day: NonNegative = Field(
        description="calls of existing customers about other matters, a day and 1,000 companies"
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


class Pool(_Part):
    """Telephone numbers shown to web visitors in turn."""

    numbers: int = Field(ge=1, le=100_000)
    views_per_day: float = Field(
        ge=0.0,
        le=10_000.0,
        description="visits a day by others than the simulated buyers, all of which take a number",
    )
    policy: Literal["lru", "lease"] = Field(
        description="'lru' shows the number unused longest; 'lease' holds it and shows the main one when full"
    )
    lease_minutes: Positive = Field(description="how long a lease holds, policy 'lease' only")
    call_delay_minutes: Positive = Field(description="median minutes from the visit to the call")
    call_delay_sigma: NonNegative


class Via(_Part):
    """Through what an enquiry arrives, as weights, for a company that met at least one campaign."""

    material: NonNegative = Field(description="the material met last")
    older_material: NonNegative = Field(description="late dialling: an older piece of material")
    brand_search: NonNegative = Field(description="a search for the brand, then the web site")
    direct: NonNegative = Field(description="the main number or a typed address")


class Answers(_Part):
    """What callers say when asked where they heard of us."""

    asked: Share = Field(description="chance that the rep asks")
    declined: Share = Field(description="chance that the caller asked declines")
    first: NonNegative = Field(description="weight of naming the campaign met first")
    last: NonNegative = Field(description="weight of naming the campaign met last")
    salient: NonNegative = Field(description="weight of naming what stands out, by the campaigns' salience")
    internet: NonNegative = Field(description="weight of 'the internet'")
    decoy: NonNegative = Field(description="weight of naming an advertisement that never ran")
    unknown: NonNegative = Field(description="weight of 'I do not know'")


class Observer(_Part):
    """How much of it the tracker gets to see."""

    cookie_loss: Share = Field(description="chance that a visit or response cannot be joined to its company")
    lost_webhooks: Share = Field(description="chance that a call's report never arrives")
    withheld: Share = Field(description="chance that a caller's number is withheld")
    identified: Share = Field(description="chance that a withheld caller's company is learnt in the talk")
    switchboard: Share = Field(description="chance that a call shows the company's switchboard, so no person")
    junk_marked: Share = Field(description="chance that a junk call is recognised and marked as spam")
    organic_visits: float = Field(ge=0.0, le=50.0, description="visits from unpaid search per need, mean")
    organic_web: Share = Field(
        description="share of enquiries without any campaign that come through unpaid search"
    )
    via: Via
    pool: Pool
    answers: Answers


class Scenario(_Part):
    """A whole world: market, needs, campaigns, desk and observer."""

    name: str
    description: str
    start: dt.date
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
    observer: Observer

    @model_validator(mode="after")
    def _names_agree(self) -> Scenario:
        for name, campaign in self.campaigns.items():
            if unknown := set(campaign.industries) - set(self.market.industries):
                raise ValueError(
                    f"campaigns.{name}.industries names {sorted(unknown)}, which market.industries lacks"
                )
            if name.startswith("("):
                raise ValueError(
                    f"campaigns.{name}: names in brackets are kept for traffic without a campaign"
                )
        return self
