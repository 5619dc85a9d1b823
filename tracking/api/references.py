"""What a request refers to by name: whose deal or touch it is, and which campaign and ad material."""

from pydantic import Field

from tracking.api.forms import Body, Line, PhoneText, e164
from tracking.api.problems import pointing_at
from tracking.api.routes import Context
from tracking.errors import Invalid
from tracking.records import campaigns
from tracking.records.contacts import Clues
from tracking.storage.models import AdMaterial, Campaign


class Whose(Body):
    """A buying company and one of its people, by any of these; found where known, added where not.

    An id counts more than a name, a name more than a telephone number.
    """

    external_id: Line | None = Field(None, description="The account's id in your CRM.")
    company: Line | None = None
    domain: Line | None = None
    phone: PhoneText | None = None
    email: Line | None = None
    person: Line | None = Field(None, description="The contact's name.")
    person_id: Line | None = Field(None, description="The contact's id in your CRM.")

    def clues(self, region: str, field: str) -> Clues:
        """Return them as the domain takes them."""
        given = self.model_dump(exclude_none=True)
        if self.phone is not None:
            given["phone"] = e164(self.phone, region, f"{field}.phone")
        return Clues(**given)


def source(
    context: Context, campaign: str | None, material: str | None
) -> tuple[Campaign | None, AdMaterial | None]:
    """Return the campaign and the ad material of these names."""
    if campaign is None:
        if material is not None:
            raise Invalid("campaign", "enter the asset's campaign")
        return None, None
    with pointing_at("campaign"):
        found = campaigns.get(context.session, campaign)
    if material is None:
        return found, None
    with pointing_at("ad_material"):
        return found, campaigns.material(context.session, campaign, material)
