"""Every parameter of a simulated market, with its unit, its range and its meaning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Weight: TypeAlias = Annotated[float, Field(ge=0.0, le=1_000.0)]
Days: TypeAlias = Annotated[float, Field(gt=0.0, le=100_000.0)]
# Standard deviation of a logarithm: at 2, one draw in forty is more than 50 times the median.
Sigma: TypeAlias = Annotated[float, Field(ge=0.0, le=2.0)]
# Up to ten billion in the currency's main unit.
Money: TypeAlias = Annotated[float, Field(ge=0.0, le=1e12)]


def _not_all_zero(weights: Iterable[float]) -> None:
    if not any(weights):
        raise ValueError("at least one weight must be above 0")


def _weighed(weights: dict[str, float]) -> dict[str, float]:
    _not_all_zero(weights.values())
    return weights


def _weighed_list(weights: list[float]) -> list[float]:
    _not_all_zero(weights)
    return weights


Multiplier: TypeAlias = Annotated[float, Field(ge=0.0, le=10.0)]
Weights: TypeAlias = Annotated[dict[str, Weight], Field(min_length=1), AfterValidator(_weighed)]

STAGES: Final = ("shortlist", "contact", "win")


class ScenarioError(ValueError):
    """A scenario that cannot be read or run, with the key, the value and what would be right."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Size(_Part):
    """A size class of buying companies."""

    share: Weight = Field(description="weight among companies, any scale")
    group_mean: float = Field(ge=1.0, le=30.0, description="people in the buying group, mean of 1 + Poisson")
    demand: float = Field(
        ge=0.0, le=100.0, description="multiplier of the need rate, 1 = as stated under needs"
    )


class Market(_Part):
    """Who could buy."""

    industries: Weights = Field(description="weight per industry, any scale")
    regions: Weights = Field(description="weight per region, any scale")
    sizes: dict[str, Size] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_companies(self) -> Market:
        if not any(size.share for size in self.sizes.values()):
            raise ValueError("at least one of sizes must have a share above 0")
        return self


class Need(_Part):
    """One kind of need and the course it takes."""

    per_year: float = Field(ge=0.0, le=50.0, description="needs a year and company of demand 1")
    season: Annotated[list[Weight], AfterValidator(_weighed_list)] = Field(
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


class Effects(_Part):
    """What one exposure does to a stage."""

    shortlist: Weight = 0.0
    contact: Weight = 0.0
    win: Weight = 0.0

    def of(self, stage: str) -> float:
        """Return the effect on one of `STAGES`."""
        return float(getattr(self, stage))


class Flight(_Part):
    """An interval in which a campaign runs."""

    from_day: float = Field(
        ge=-3650.0,
        le=3650.0,
        description="first day, counted from the scenario's start; negative is before it",
    )
    to_day: float = Field(ge=-3650.0, le=4015.0, description="last day, exclusive")
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
    industries: dict[str, Multiplier] = Field(
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
    def _searchers_have_no_flights(self) -> Campaign:
        if self.audience == "researching" and self.flights:
            raise ValueError(
                "a campaign for researching companies runs all year: use per_year instead of flights"
            )
        return self


class Organic(_Part):
    """Demand that comes without any campaign, as hazard weights."""

    shortlist: Weight = Field(description="hazard weight without any campaign, 1 = the need's stated mean")
    contact: Weight = Field(description="as above, from shortlist to contact")
    win: Weight = Field(description="as above, from quote to order")
    saturation: Weight = Field(
        default=0.0,
        description="ceiling that the campaigns' joint lift approaches; 0 = none, lifts simply add",
    )


# A clock that stands still for hours could not be turned back.
Activity: TypeAlias = Annotated[float, Field(ge=1e-3, le=1_000.0)]


class Calendar(_Part):
    """When in the week buyers are active."""

    days: list[Activity] = Field(min_length=7, max_length=7, description="weight of Monday to Sunday")
    hours: list[Activity] = Field(min_length=24, max_length=24, description="weight of each hour of the day")


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
    patience_s: float = Field(gt=0.0, le=86_400.0, description="mean seconds a caller waits, exponential")
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
    lease_minutes: float = Field(
        gt=0.0, le=10_000_000.0, description="how long a lease holds, policy 'lease' only"
    )
    call_delay_minutes: float = Field(
        gt=0.0, le=100_000.0, description="median minutes from the visit to the call"
    )
    call_delay_sigma: Sigma


class Via(_Part):
    """Through what an enquiry arrives, as weights, for a company that met at least one campaign."""

    material: Weight = Field(description="the material met last")
    older_material: Weight = Field(description="late dialling: an older piece of material")
    brand_search: Weight = Field(description="a search for the brand, then the web site")
    direct: Weight = Field(description="the main number or a typed address")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Via:
        _not_all_zero((self.material, self.older_material, self.brand_search, self.direct))
        return self


class Answers(_Part):
    """What callers say when asked where they heard of us."""

    asked: Share = Field(description="chance that the rep asks")
    declined: Share = Field(description="chance that the caller asked declines")
    first: Weight = Field(description="weight of naming the campaign met first")
    last: Weight = Field(description="weight of naming the campaign met last")
    salient: Weight = Field(description="weight of naming what stands out, by the campaigns' salience")
    internet: Weight = Field(description="weight of 'the internet'")
    decoy: Weight = Field(description="weight of naming an advertisement that never ran")
    unknown: Weight = Field(description="weight of 'I do not know'")

    @model_validator(mode="after")
    def _says_something(self) -> Answers:
        _not_all_zero((self.first, self.last, self.salient, self.internet, self.decoy, self.unknown))
        return self


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
