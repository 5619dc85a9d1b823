"""How much of a simulated market its tracker gets to see."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from simulator.ranges import Part, Share, Sigma, Weight, not_all_zero


class Pool(Part):
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


class Via(Part):
    """Through what an enquiry arrives, as weights, for a company that met at least one campaign."""

    material: Weight = Field(description="the material met last")
    older_material: Weight = Field(description="late dialling: an older piece of material")
    brand_search: Weight = Field(description="a search for the brand, then the web site")
    direct: Weight = Field(description="the main number or a typed address")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Via:
        not_all_zero((self.material, self.older_material, self.brand_search, self.direct))
        return self


class Answers(Part):
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
        not_all_zero((self.first, self.last, self.salient, self.internet, self.decoy, self.unknown))
        return self


class Observer(Part):
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
