"""The second factor in a real browser: set up from a QR code, asked for, and replaced by a recovery code."""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.people import ADDRESSES, PASSWORD
from tracking.storage.vocabulary import Role

WORKER = False


def code(key: str, at: float) -> str:
    """The six digits that an authenticator app shows (RFC 6238: SHA-1, 30 seconds)."""
    letters = re.sub(r"[ -]", "", key).upper()
    secret = base64.b32decode(letters + "=" * (-len(letters) % 8))
    digest = hmac.new(secret, struct.pack(">Q", int(at // 30)), hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def test_a_second_factor_is_set_up_asked_for_and_replaced_by_a_recovery_code(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("marketer", "/account/second-factor")
    page.get_by_role("button", name="Set up").click()
    key = page.locator("code").inner_text()
    shown = code(key, page.evaluate("Date.now()") / 1000)  # by the clock of the user's telephone
    page.get_by_label("Code").fill(shown)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("link", name="Two-factor authentication: on")).to_be_visible()
    page.goto("/account/recovery-codes")
    page.get_by_role("button", name="Create new codes").click()
    spare = page.locator("li code").first.inner_text()

    again = open_page(None, "/calls")
    again.get_by_label("Email").fill(ADDRESSES[Role.marketer])
    again.get_by_label("Password", exact=True).fill(PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("heading", name="Code from your app")).to_be_visible()
    again.get_by_label("Code").fill("000000")
    again.get_by_role("button", name="Sign in").click()
    expect(again.locator(".wrong")).to_be_visible()
    again.get_by_role("link", name="Use a recovery code instead").click()
    again.get_by_label("Enter one of your saved codes").fill(spare)
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("button", name="Sign out")).to_be_visible()
