"""What telephone systems call directions and outcomes, in the languages of their pages."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from tracking.imports import words as tables
from tracking.imports.values import fold
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import Course

_Word = TypeVar("_Word", bound=StrEnum)

_COURSES = {
    Course.incoming: """inbound|incoming|in|i|received|inbound queue|inkommande|mottaget|eingehend|ankommend
        kommend|ein|eingang|входящий|входящая|вх|呼入|来电|入站|入|user in|ucap in|dr in|dr in ucap
        missed|missed incoming|пропущен|trunking originating""",
    Course.outgoing: """outbound|outgoing|out|o|dialed|dialled|placed|utgående|ut|uppringt|ausgehend|abgehend
        gehend|aus|ausgang|исходящий|исходящая|исх|呼出|去电|外呼|出|outbound api|outbound dial|outgoing api
        outgoing dial|trunking terminating|user out|user out conf|user out transfer|user out forwarding
        missed outgoing|ucap out|conf out|dr out|dr out user conf|dr out user forwarding|dr out user transfer
        dr emergency out|dr out ucap""",
    Course.internal: """internal|inner|local|intercom|intern|internt|внутренний|внутренняя|внутр|内部|内线
        内部通话""",
}
_STATUSES = {
    CallStatus.completed: """answered|answered call|accepted|connected|completed|call connected|pickup
        picked up|success|besvarat|besvarad|svarat|kopplat|angenommen|beantwortet|verbunden|erfolgreich
        отвечен|отвеченный|принят|принятый|успешный|состоялся
        состоявшийся|разговор состоялся|ок|已接|已接听|接通|成功|应答|transferred|transfer|redirected
        forwarded|vidarekopplat|weitergeleitet|перевод|переведён|转接""",
    CallStatus.missed: """missed|missed call|no answer|noanswer|no pickup|nopickup|unanswered|abandoned
        abandoned call|not answered|not connected|lost|rejected|busy|line busy|failed|error|congestion|failure
        cancelled|canceled|cancel|hang up|hangup|originator cancel|call failed|blocked|no money|no limit
        unallocated number|out of business hours|missat|obesvarat|ej besvarat|tappat|övergivet|upptaget
        upptagen|misslyckat|misslyckades|avbrutet|verpasst|nicht angenommen|unbeantwortet|entgangen
        nicht verbunden
        abgebrochen|besetzt|fehlgeschlagen|пропущен|пропущенный|неотвеченный|не отвечен|нет ответа|потерянный
        несостоявшийся
        недозвон|занято|ошибка|отменён|перезвонили|перезвонил клиент|未接|未接听|漏接|无应答
        未接通|放弃|忙|占线""",
    CallStatus.voicemail: """voicemail|voice mail|voicemail call|vm|röstmeddelande|röstbrevlåda|telefonsvarare
        anrufbeantworter|mailbox|голосовая почта|автоответчик|语音信箱|语音留言|留言""",
}


def _table(words: Mapping[_Word, str]) -> dict[str, _Word]:
    split = {kind: re.split(r"\||\n", text) for kind, text in words.items()}
    return {fold(word): kind for kind, listed in split.items() for word in listed}


COURSES = _table(_COURSES)
STATUSES = _table(_STATUSES)
ANSWERED = frozenset(
    map(
        fold,
        re.split(
            r"\||\n",
            """answered|call answered|picked up|besvarad|besvarat|svarat|samtal besvarat|angenommen
beantwortet|anruf angenommen|отвечен|отвечено|принят|ответили|已接听|是否接听|是否接通|接听""",
        ),
    )
)
"""Names of columns whose yes and no say whether a call was answered."""


def answered(column: str, word: str) -> CallStatus | None:
    """Return what yes or no in a column of that name says of a call; None where it says nothing."""
    if fold(column) not in ANSWERED:
        return None
    if fold(word) in tables.listed("yes"):
        return CallStatus.completed
    return CallStatus.missed if fold(word) in tables.listed("no") else None


MACHINE = re.compile(
    r"\b(?:queue|ivr|digital receptionist|auto ?attendant|auto ?receptionist|announcement|kö|svarsgrupp"
    r"|warteschlange|очередь|автосекретарь)\b|队列|语音导航",
    re.IGNORECASE,
)
"""A party that picks up at once and is nobody."""
MAILBOX = re.compile(
    r"\b(?:voice ?mail|vmail|vm channel|anrufbeantworter|röstbrevlåda)\b|语音信箱", re.IGNORECASE
)
