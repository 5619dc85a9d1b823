"""What callers' words may mean: suggested by names in four languages, never decided, and told for many."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, COBALT, moment
from tracking.errors import Conflict, Invalid
from tracking.records import answers, campaigns, coding, contacts
from tracking.records.answers import Entry
from tracking.records.contacts import Clues
from tracking.storage.models import Answer
from tracking.storage.vocabulary import Outcome

NOW = moment("2026-03-02 09:05")
ANN = Entry("Ann", moment("2026-03-09 10:00"))


def said(session: Session, words: str, company: str = "Borealis Foods") -> Answer:
    person = contacts.contact_for(session, Clues(company=company), at=NOW)
    return answers.log(
        session, Outcome.answered, asked_at=NOW, asked_by="Eva", contact=person, verbatim=words
    )


def means(session: Session, words: str) -> list[str]:
    return [source.channel or "" for source in coding.Meanings(session).of(words).sources]


@pytest.mark.parametrize(
    ("words", "channel"),
    [
        ("I googled you", "search"),
        ("Hittade er på mässan i Göteborg", "fair"),
        ("увидел на выставке в Москве", "fair"),
        ("在展会上看到的", "fair"),
        ("a colleague told me", "referral"),
        ("seen in the trade journal", "print"),
        ("met you at the exhibiton", "fair"),
        ("нашёл в каталоге предприятий", "directory"),
        ("LINKEDIN!", "social"),
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_words_in_four_languages_suggest_the_channel_whose_name_stands_there_or_is_misspelt(
    session: Session, words: str, channel: str
) -> None:
    assert means(session, words) == [channel]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_words_that_name_two_sources_suggest_both_and_choose_neither(session: Session) -> None:
    found = coding.Meanings(session).of("a colleague met you at the fair")
    assert {source.channel for source in found.sources} == {"referral", "fair"}
    assert found.source is None
    assert coding.Meanings(session).of("it was the wind").sources == ()
    assert coding.Meanings(session).of("Keine Ahnung").unknown


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_campaign_is_the_closer_meaning_of_a_name_than_its_channel(session: Session) -> None:
    fair = campaigns.add(session, "Hannover Messe", "fair", at=NOW)
    assert [s.campaign for s in coding.Meanings(session).of("auf der Hannover Messe").sources] == [fair]


def test_all_answers_in_the_same_words_are_told_at_once_and_what_was_said_stays(session: Session) -> None:
    first, second, other = (said(session, w) for w in ("A colleague", "a colleague!", "the boss's friend"))
    group = coding.uncoded(session)[0]
    assert sorted(group.ids) == [first.id, second.id]
    assert group.suggestion.source is not None
    assert group.suggestion.source.channel == "referral"
    assert coding.count(session) == 3
    assert coding.code(session, "a colleague", coding.meant(session, "Referral"), entry=ANN) == 2
    row = session.scalars(select(Answer).where(Answer.corrects_id == second.id)).one()
    assert (row.channel, row.verbatim, row.asked_at, row.asked_by) == ("referral", "a colleague!", NOW, "Eva")
    assert (row.entered_by, row.entered_at) == ("Ann", ANN.at)
    assert second.channel is None, "what was entered first stays as it was"
    assert [one.ids for one in coding.uncoded(session)] == [[other.id]]
    with pytest.raises(Conflict, match="no answer in these words is open"):
        coding.code(session, "a colleague", None, entry=ANN)
    with pytest.raises(Invalid, match="no campaign or channel is called 'the moon'"):
        coding.meant(session, "the moon")


def test_what_people_took_the_same_words_for_before_comes_first_and_is_still_only_suggested(
    session: Session,
) -> None:
    said(session, "old Svensson", "Borealis Foods")
    coding.code(session, "old Svensson", coding.meant(session, "referral"), entry=ANN)
    again = said(session, "Old Svensson", "Cobalt Mining")
    (group,) = coding.uncoded(session)
    assert group.ids == [again.id]
    assert group.suggestion.source is not None
    assert group.suggestion.source.channel == "referral"
    assert again.channel is None


def test_words_that_say_nobody_knows_become_an_answer_that_names_nothing(session: Session) -> None:
    row = said(session, "vet inte")
    assert coding.uncoded(session)[0].suggestion.unknown
    assert coding.code(session, "vet inte", coding.meant(session, "does not know"), entry=ANN) == 1
    corrected = session.scalars(select(Answer).where(Answer.corrects_id == row.id)).one()
    assert (corrected.outcome, corrected.channel) == (Outcome.unknown, None)
    assert coding.count(session) == 0


def test_an_answer_belongs_to_a_company_or_deal_and_is_corrected_once(session: Session) -> None:
    account = contacts.account_for(session, Clues(company="Cobalt Mining", phone=COBALT), at=NOW)
    other = contacts.account_for(session, Clues(company="Borealis Foods", phone=BOREALIS), at=NOW)
    row = answers.log(session, Outcome.answered, asked_at=NOW, account=account, channel="fair", entry=ANN)
    assert contacts.account_of(session, row.contact) is account
    fixed = answers.log(session, Outcome.answered, asked_at=NOW, corrects=row, channel="print", entry=ANN)
    assert (fixed.corrects_id, fixed.contact) == (row.id, row.contact)
    assert answers.of_company(session, account) == [fixed, row]
    assert answers.of_company(session, other) == []
    with pytest.raises(Conflict, match="has been corrected already"):
        answers.log(session, Outcome.answered, asked_at=NOW, corrects=row, channel="email")
    with pytest.raises(Invalid, match="call, contact, company or deal"):
        answers.log(session, Outcome.answered, asked_at=NOW, channel="email")
