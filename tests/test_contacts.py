"""Who is this: a caller, a person and a buying company are recognised, joined and parted."""

import itertools
import threading
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, BOREALIS_BUYER, CATALOGUE_NUMBER, COBALT, moment
from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import contacts
from tracking.records.contacts import Clues
from tracking.storage import db
from tracking.storage.models import Account, Contact, ContactPoint
from tracking.storage.names import name_key
from tracking.storage.vocabulary import PointKind
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent

NOW = moment("2026-03-02")
only_postgres = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


def company(session: Session, **clues: str) -> Account:
    return contacts.account_for(session, Clues(**clues), at=NOW)


def caller(session: Session, number: str, call_id: str = "CA1") -> Contact:
    event = CallEvent(
        provider="twilio",
        provider_call_id=call_id,
        dialled=(CATALOGUE_NUMBER,),
        caller=number,
        started_at=NOW,
    )
    return calls.record(session, [event], region="SE")[0].call.contact


def known_as(session: Session, number: str) -> Account:
    """Return the company that a caller with this number counts to."""
    point = (PointKind.phone, number)
    return contacts.account_of(session, contacts.recognise(session, [point])[point])


def count(session: Session, kind: type[Account | Contact | ContactPoint]) -> int:
    return session.scalar(select(func.count()).select_from(kind)) or 0


# --- Which company ---------------------------------------------------------------------------------------


def test_an_id_counts_more_than_a_name_a_name_than_a_domain_a_domain_than_a_number(session: Session) -> None:
    by_id = company(session, external_id="crm-1")
    by_name = company(session, company="Borealis Foods")
    by_domain = company(session, domain="borealis.example")
    by_phone = company(session, phone=BOREALIS)
    assert len({by_id.id, by_name.id, by_domain.id, by_phone.id}) == 4
    everything = {
        "external_id": "crm-1",
        "company": "Borealis Foods",
        "domain": "borealis.example",
        "phone": BOREALIS,
    }
    for field, wanted in zip(list(everything), (by_id, by_name, by_domain, by_phone), strict=True):
        with session.begin_nested() as probe:
            assert company(session, **everything) is wanted, field
            probe.rollback()
        del everything[field]


def test_a_company_known_by_a_number_only_becomes_the_one_that_is_named(session: Session) -> None:
    person = caller(session, BOREALIS)
    named = company(session, company="Borealis Foods", phone=BOREALIS)
    assert contacts.account_of(session, person) is named
    assert named.name == "Borealis Foods"
    assert company(session, company="borealis  FOODS") is named
    assert count(session, Account) == 1


def test_a_caller_joins_the_company_that_was_known_by_name_before(session: Session) -> None:
    named = company(session, company="Borealis Foods")
    person = caller(session, BOREALIS)
    assert contacts.account_of(session, person) is not named
    assert company(session, company="Borealis Foods", phone=BOREALIS) is named
    assert contacts.account_of(session, person) is named


def test_a_number_of_another_named_company_stays_there(session: Session) -> None:
    borealis = company(session, company="Borealis Foods", phone=BOREALIS)
    cobalt = company(session, company="Cobalt Mining", phone=BOREALIS)
    assert cobalt is not borealis
    assert known_as(session, BOREALIS) is borealis
    assert company(session, phone=BOREALIS) is borealis


def test_two_ids_are_two_companies_even_if_they_share_a_number(session: Session) -> None:
    first = company(session, external_id="crm-1", phone=BOREALIS)
    second = company(session, external_id="crm-2", phone=BOREALIS)
    assert first is not second
    assert known_as(session, BOREALIS) is first


def test_an_id_learnt_later_is_kept_with_the_company_known_by_its_number(session: Session) -> None:
    named = company(session, company="Borealis Foods", phone=BOREALIS)
    assert company(session, external_id="crm-1", phone=BOREALIS) is named
    assert company(session, external_id="crm-1") is named


def test_a_second_id_of_a_company_finds_it_from_then_on_and_can_be_parted(session: Session) -> None:
    borealis = company(session, external_id="crm-1", company="Borealis Foods")
    assert company(session, external_id="shop-9", company="Borealis Foods") is borealis
    assert company(session, external_id="shop-9") is borealis
    assert company(session, external_id="crm-1") is borealis
    alias = session.scalars(select(Account).where(Account.external_id == "shop-9")).one()
    contacts.unmerge(session, Account, alias.id)
    assert company(session, external_id="shop-9") is alias


def test_a_second_name_of_a_company_finds_it_from_then_on(session: Session) -> None:
    borealis = company(session, company="Borealis Foods", domain="borealis.example")
    assert company(session, company="Borealis Foods Ltd", domain="Borealis.Example") is borealis
    assert company(session, company="Borealis Foods Ltd") is borealis
    assert borealis.name == "Borealis Foods"


def test_an_id_of_a_company_that_was_merged_leads_to_what_it_counts_as(session: Session) -> None:
    old = company(session, external_id="crm-1", company="Borealis Foods")
    new = company(session, company="Northern Foods")
    contacts.merge(session, Account, old.id, new.id)
    assert company(session, external_id="crm-1") is new
    assert company(session, external_id="crm-1", company="Borealis Foods") is new
    assert company(session, company="Borealis Foods") is new


def test_a_company_known_by_its_domain_only_becomes_the_one_that_is_named(session: Session) -> None:
    visitor = company(session, domain="borealis.example")
    named = company(session, external_id="crm-1")
    assert company(session, external_id="crm-1", domain="borealis.example") is named
    assert contacts.root(session, visitor) is named
    assert company(session, domain="borealis.example") is named


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_in_which_clues_arrive_does_not_split_a_company(
    session: Session, order: tuple[int, ...]
) -> None:
    records = [
        {"phone": BOREALIS},
        {"company": "Borealis Foods", "phone": BOREALIS},
        {"external_id": "crm-1", "company": "Borealis Foods"},
        {"external_id": "crm-1", "email": "ann@borealis.example", "phone": BOREALIS},
    ]
    for index in order:
        company(session, **records[index])
    assert len({company(session, **record).id for record in records}) == 1


def test_a_first_name_alone_recognises_nobody(session: Session) -> None:
    first, second = (contacts.contact_for(session, Clues(person="Ann"), at=NOW) for _ in range(2))
    assert first is not second
    assert first.account is not second.account


CLUES = st.builds(
    Clues,
    external_id=st.sampled_from([None, "crm-1", "crm-2"]),
    company=st.sampled_from([None, "Borealis Foods", "Cobalt Mining"]),
    domain=st.sampled_from([None, "borealis.example"]),
    phone=st.sampled_from([None, BOREALIS, COBALT]),
    email=st.sampled_from([None, "ann@borealis.example", "Bo@borealis.example"]),
    person=st.sampled_from([None, "Ann", "Bo"]),
    person_id=st.sampled_from([None, "p1"]),
).filter(lambda clues: clues != Clues(person=clues.person))


@given(st.lists(CLUES, min_size=1, max_size=6))
@settings(max_examples=20)
def test_a_record_told_again_finds_the_same_person_and_adds_nothing(
    engine: Engine, records: list[Clues]
) -> None:
    with Session(engine) as session:
        for clues in records:
            person = contacts.contact_for(session, clues, at=NOW)
            before = [count(session, kind) for kind in (Account, Contact, ContactPoint)]
            again = contacts.contact_for(session, clues, at=NOW)
            assert again is person
            assert [count(session, kind) for kind in (Account, Contact, ContactPoint)] == before
            # The chains end, and in the same place by either way of following them.
            ends = contacts.roots(session, Account)
            for account in session.scalars(select(Account)):
                assert contacts.root(session, account).id == ends.get(account.id, account.id)
        session.rollback()


def test_blanks_say_nothing() -> None:
    assert Clues(company=" ", external_id="", domain="\t", phone="", email="  ") == Clues()
    assert Clues(company="  Borealis \n Foods ").company == "Borealis Foods"


@pytest.mark.parametrize("field", ["external_id", "company", "domain", "email", "person", "person_id"])
def test_a_clue_too_long_for_its_column_is_named(field: str) -> None:
    with pytest.raises(Invalid, match=f"^{field}: must be 200 characters or fewer"):
        Clues(**{field: "x" * 201})


# --- How names are matched -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Borealis Foods", "  borealis   FOODS "),
        ("Ångström AB", unicodedata.normalize("NFD", "ångström ab")),
        ("Ångström AB", "\u212bngström AB"),
        ("Weißwurst GmbH", "WEISSWURST GMBH"),
        ("Ｂｏｒｅａｌｉｓ", "Borealis"),
        ("Borealis\u00a0Foods", "Borealis Foods"),
        ("Borealis Foods\u200e", "\ufeffBorealis Foods"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
def test_a_name_is_matched_however_it_is_typed(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) != ""


@pytest.mark.parametrize("other", ["Borealis Food", "Borealis & Foods", "Börealis Foods", "BorealisFoods"])
def test_names_that_differ_in_letters_are_different_companies(other: str) -> None:
    assert name_key("Borealis Foods") != name_key(other)


@given(st.text(max_size=300))
def test_a_matched_form_is_matched_by_itself_and_fits_its_column(name: str) -> None:
    key = name_key(name)
    assert name_key(key) == key
    assert name_key(f" {name} ") == key
    assert len(key) <= 200


def test_a_company_cannot_be_named_nothing(session: Session) -> None:
    account = company(session, company="Borealis Foods")
    with pytest.raises(Invalid, match="name: enter a name"):
        contacts.rename(account, " \u2003")
    assert account.name == "Borealis Foods"


# --- Which person ----------------------------------------------------------------------------------------


def test_an_address_is_known_in_any_case(session: Session) -> None:
    ann = contacts.contact_for(session, Clues(email="Ann@Borealis.Example"), at=NOW)
    assert contacts.contact_for(session, Clues(email=" ann@borealis.example "), at=NOW) is ann


def test_a_person_is_known_by_whatever_was_said_together(session: Session) -> None:
    ann = contacts.contact_for(session, Clues(phone=BOREALIS, email="ann@borealis.example"), at=NOW)
    assert caller(session, BOREALIS) is ann
    assert contacts.contact_for(session, Clues(email="ann@borealis.example"), at=NOW) is ann


def test_colleagues_who_share_the_companys_number_stay_two_people(session: Session) -> None:
    number = {"company": "Borealis Foods", "phone": BOREALIS}
    ann = contacts.contact_for(session, Clues(**number, person="Ann", email="ann@b.example"), at=NOW)
    bo = contacts.contact_for(session, Clues(**number, person="Bo", email="bo@b.example"), at=NOW)
    assert ann is not bo
    assert contacts.account_of(session, ann) is contacts.account_of(session, bo)
    assert contacts.contact_for(session, Clues(**number, person="Bo", email="bo@b.example"), at=NOW) is bo


def test_a_record_that_names_nobody_belongs_to_the_companys_unnamed_contact(session: Session) -> None:
    first = contacts.contact_for(session, Clues(company="Borealis Foods"), at=NOW)
    assert contacts.contact_for(session, Clues(company="Borealis Foods"), at=NOW) is first
    assert contacts.contact_for(session, Clues(company="Cobalt Mining"), at=NOW) is not first


def test_a_number_kept_elsewhere_leads_to_the_named_companys_own_contact(session: Session) -> None:
    company(session, company="Borealis Foods", phone=BOREALIS)
    said = Clues(company="Cobalt Mining", phone=BOREALIS)
    people = {contacts.contact_for(session, said, at=NOW).id for _ in range(3)}
    assert len(people) == 1
    assert known_as(session, BOREALIS).name == "Borealis Foods"


# --- Merging and parting ---------------------------------------------------------------------------------


def chain(session: Session, length: int) -> list[Account]:
    return [company(session, company=f"Company {i}") for i in range(length)]


def test_companies_that_were_merged_count_as_one_and_can_be_parted(session: Session) -> None:
    a, b, c = chain(session, 3)
    contacts.merge(session, Account, a.id, b.id)
    contacts.merge(session, Account, b.id, c.id)
    assert contacts.roots(session, Account) == {a.id: c.id, b.id: c.id}
    assert contacts.root(session, a) is c
    contacts.unmerge(session, Account, b.id)
    assert contacts.roots(session, Account) == {a.id: b.id}
    contacts.unmerge(session, Account, a.id)
    assert contacts.roots(session, Account) == {}


def test_people_are_found_after_their_company_was_merged(session: Session) -> None:
    person = caller(session, BOREALIS)
    borealis = company(session, company="Borealis Foods")
    contacts.merge(session, Account, person.account_id, borealis.id)
    assert caller(session, BOREALIS, "CA2") is person
    assert known_as(session, BOREALIS) is borealis
    assert contacts.contact_for(session, Clues(phone=BOREALIS), at=NOW) is person
    assert company(session, phone=BOREALIS) is borealis


def test_a_person_who_was_merged_counts_to_the_company_of_who_they_turned_out_to_be(session: Session) -> None:
    mobile = caller(session, BOREALIS_BUYER)
    ann = contacts.contact_for(session, Clues(company="Borealis Foods", phone=BOREALIS), at=NOW)
    contacts.merge(session, Contact, mobile.id, ann.id)
    assert known_as(session, BOREALIS_BUYER) is contacts.account_of(session, ann)
    assert company(session, phone=BOREALIS_BUYER).name == "Borealis Foods"


def test_a_ring_is_refused_however_long(session: Session) -> None:
    a, b, c = chain(session, 3)
    with pytest.raises(Invalid, match="into: company 1 is already merged into 1"):
        contacts.merge(session, Account, a.id, a.id)
    contacts.merge(session, Account, a.id, b.id)
    contacts.merge(session, Account, b.id, c.id)
    with pytest.raises(Invalid, match=r"into: .* is already merged into"):
        contacts.merge(session, Account, c.id, a.id)


def test_what_is_merged_is_parted_before_it_is_merged_elsewhere(session: Session) -> None:
    a, b, c = chain(session, 3)
    contacts.merge(session, Account, a.id, b.id)
    with pytest.raises(Conflict, match="undo that merge first"):
        contacts.merge(session, Account, a.id, c.id)
    with pytest.raises(Conflict, match="is not merged"):
        contacts.unmerge(session, Account, c.id)


def test_who_is_not_there_is_neither_merged_nor_parted(session: Session) -> None:
    (a,) = chain(session, 1)
    for source, target in ((a.id, 99), (99, a.id)):
        with pytest.raises(NotFound, match="company 99 not found"):
            contacts.merge(session, Account, source, target)
    with pytest.raises(NotFound, match="contact 99 not found"):
        contacts.unmerge(session, Contact, 99)


# --- At the same moment ----------------------------------------------------------------------------------


def meanwhile(engine: Engine, first: Callable[[Session], object], second: Callable[[], object]) -> None:
    """Do ``first`` in a transaction that stays open until ``second``, in another, waits for it."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(second())
        except Exception as error:
            outcome.append(error)

    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> 0")
    thread = threading.Thread(target=run)
    with db.transaction(engine) as session, engine.connect() as watcher:
        first(session)
        session.flush()
        thread.start()
        for _ in range(100_000):
            if outcome or watcher.scalar(waits):
                break
            watcher.rollback()
        assert not outcome, f"the second did not wait: {outcome}"
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]


@only_postgres
def test_of_two_who_introduce_one_number_the_second_finds_the_first(engine: Engine) -> None:
    meanwhile(
        engine,
        lambda session: caller(session, BOREALIS),
        lambda: db.commit(engine, lambda session: caller(session, BOREALIS, "CA2").id),
    )
    with db.reading(engine) as session:
        assert (count(session, Contact), count(session, Account)) == (1, 1)


@only_postgres
@pytest.mark.parametrize("clues", [{"company": "Borealis Foods"}, {"domain": "borealis.example"}])
def test_of_two_who_name_one_new_company_the_second_finds_the_first(
    engine: Engine, clues: dict[str, str]
) -> None:
    meanwhile(
        engine,
        lambda session: company(session, **clues, phone=BOREALIS),
        lambda: db.commit(engine, lambda session: company(session, **clues, phone=COBALT).id),
    )
    with db.reading(engine) as session:
        assert (count(session, Account), count(session, ContactPoint)) == (1, 2)


@only_postgres
@pytest.mark.parametrize("look_first", [False, True])
def test_merges_at_the_same_moment_cannot_close_a_ring(engine: Engine, look_first: bool) -> None:
    """A counts as B and C as D; B into C and D into A, each alone, would be allowed."""
    with db.transaction(engine) as session:
        a, b, c, d = (account.id for account in chain(session, 4))
        contacts.merge(session, Account, a, b)
        contacts.merge(session, Account, c, d)

    def late() -> None:
        with db.transaction(engine) as session:
            # Rows that a session has seen before the wait are read anew after it.
            seen = session.scalars(select(Account)).all() if look_first else []
            contacts.merge(session, Account, d, a)
            del seen

    with pytest.raises(Invalid, match="already merged into"):
        meanwhile(engine, lambda session: contacts.merge(session, Account, b, c), late)
    with db.reading(engine) as session:
        assert contacts.roots(session, Account) == {a: d, b: d, c: d}


@only_postgres
def test_of_two_who_merge_one_company_the_second_is_told(engine: Engine) -> None:
    with db.transaction(engine) as session:
        a, b, c = (account.id for account in chain(session, 3))

    def late() -> None:
        with db.transaction(engine) as session:
            seen = session.scalars(select(Account)).all()
            contacts.merge(session, Account, a, c)
            del seen

    with pytest.raises(Conflict, match="undo that merge first"):
        meanwhile(engine, lambda session: contacts.merge(session, Account, a, b), late)
