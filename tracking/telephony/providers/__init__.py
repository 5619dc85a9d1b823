"""Telephone providers: one file each, which turns their words into ours and answers in theirs."""

from tracking.telephony.inbox import Interpreter
from tracking.telephony.providers import twilio

INTERPRETERS: dict[str, Interpreter] = {twilio.PROVIDER: twilio.interpret}
"""How to read again what each provider sent."""
