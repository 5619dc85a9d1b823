"""Telephone numbers: however they are written, one number is one caller, and no number is no caller."""

from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tests.cast import BOREALIS, DRIFT
from tracking.storage import phone
from tracking.storage.phone import NumberState

STYLES = {
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
}
KINDS = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE)


def examples(region: str) -> Iterator[phonenumbers.PhoneNumber]:
    """Yield the numbers by which the numbering plan of a country is documented."""
    for kind in KINDS:
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None:
            yield number


@pytest.mark.parametrize("region", sorted(phone.REGIONS))
def test_every_country_writes_its_numbers_in_many_ways_and_means_one(region: str) -> None:
    for number in examples(region):
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for style in STYLES:
            written = phonenumbers.format_number(number, style)
            assert phone.parse(written, region).e164 == e164, written


def test_what_is_in_e164_stays_as_it_is_wherever_it_is_read() -> None:
    for region in sorted(phone.REGIONS):
        for number in examples(region):
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            for reader in ("SE", "US", "IT", "JP", region):
                assert phone.parse(e164, reader).e164 == e164


@pytest.mark.parametrize(
    ("written", "region", "e164"),
    [
        ("020 7946 0001", "GB", BOREALIS),
        ("+44 20 7946 0001", "SE", BOREALIS),
        ("+44 (0)20 7946 0001", "SE", BOREALIS),
        ("0044 20 7946 0001", "SE", BOREALIS),
        ("0044 (0)20-7946.0001", "DE", BOREALIS),
        ("011 44 20 7946 0001", "US", BOREALIS),
        ("+44-20-7946-0001", "US", BOREALIS),
        ("  +442079460001\t", "SE", BOREALIS),
        ("\u200e+44 20 7946 0001\u202c", "SE", BOREALIS),
        ("\ufeff020 7946 0001", "GB", BOREALIS),
        ("+44\u00a020\u00a07946\u202f0001", "SE", BOREALIS),
        ("+44 20–7946‑0001", "SE", BOREALIS),
        ("＋４４２０７９４６０００１", "SE", BOREALIS),
        ("٠٢٠٧٩٤٦٠٠٠١", "GB", BOREALIS),
        ("tel:+44-20-7946-0001", "SE", BOREALIS),
        ("tel:+442079460001;ext=12", "SE", BOREALIS),
        ("tel:7946-0001;phone-context=+44-20", "SE", BOREALIS),
        ("sip:+442079460001@pbx.example.com", "SE", BOREALIS),
        ("SIPS:+442079460001@pbx.example.com;user=phone", "SE", BOREALIS),
        ("sip:02079460001@pbx.example.com:5060", "GB", BOREALIS),
        ("sip:+442079460001;isub=1411@pbx.example.com", "SE", BOREALIS),
        ("+442079460001;ext=12", "SE", BOREALIS),
        ("020 7946 0001 x12", "GB", BOREALIS),
        ("020 7946 0001 ext. 12", "GB", BOREALIS),
        ("020 7946 0001 #12", "GB", BOREALIS),
        ("(202) 555-0123", "US", DRIFT),
        ("1-202-555-0123", "US", DRIFT),
        ("202.555.0123", "US", DRIFT),
        ("12025550123", "US", DRIFT),
        ("070-174 06 05", "SE", "+46701740605"),
        ("46701740605", "SE", "+46701740605"),
        ("0701740605", "SE", "+46701740605"),
        ("030 23125 000", "DE", "+493023125000"),
        ("0049 30 23125-000", "DE", "+493023125000"),
        # The leading zero of an Italian line belongs to it at home and abroad (the plan's own examples).
        ("02 1234 5678", "IT", "+390212345678"),
        ("0039 02 1234 5678", "SE", "+390212345678"),
        ("+39 02 1234 5678", "US", "+390212345678"),
        ("312 345 6789", "IT", "+393123456789"),
        ("03-1234-5678", "JP", "+81312345678"),
        ("02-212-3456", "KR", "+8222123456"),
        ("131 2345 6789", "CN", "+8613123456789"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("01 23 45 67 89", "FR", "+33123456789"),
        ("22158", "SH", "+29022158"),
        # Eight equal digits are a number where numbers have eight.
        ("22222222", "NO", "+4722222222"),
        # With the name beside it, or as a spreadsheet keeps it from becoming a figure.
        ('"John Doe"<0701740605>', "SE", "+46701740605"),
        ("Lager <+46701740605>", "SE", "+46701740605"),
        ("Sales (+46 70 174 06 05)", "SE", "+46701740605"),
        ("070-174 06 05 (mobil)", "SE", "+46701740605"),
        ("Tel.: 070-174 06 05", "SE", "+46701740605"),
        ('="0701740605"', "SE", "+46701740605"),
        ("'+46701740605", "SE", "+46701740605"),
        ("46701740605.0", "SE", "+46701740605"),
        # In E.164 without its plus, where the country has no such number.
        ("442079460001", "SE", BOREALIS),
        ("442079460001.0", "SE", BOREALIS),
        ("12025550123", "DE", DRIFT),
        # Behind it an extension, in the words of other languages.
        ("070-174 06 05 anknytning 5", "SE", "+46701740605"),
        ("+46701740605 доб. 12", "RU", "+46701740605"),
        ("+46701740605 Durchwahl: 3", "DE", "+46701740605"),
        ("+46701740605 分机12", "CN", "+46701740605"),
    ],
)
def test_a_number_is_known_in_any_dress(written: str, region: str, e164: str) -> None:
    parsed = phone.parse(written, region)
    assert (parsed.e164, parsed.raw) == (e164, written)
    assert phone.parse(parsed.e164, region).e164 == e164


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        "+",
        "anonymous",
        "Anonymous",
        "RESTRICTED",
        "unavailable",
        "unknown",
        "private",
        "withheld",
        "sip:anonymous@anonymous.invalid",
        "sips:Anonymous@anonymous.invalid;user=phone",
        "sip:@pbx.example.com",
        "+266696687",
        "+7378742833",
        "+2562533",
        "+8566696",
        "+86282452253",
        "86282452253",
        "\u200e\u200f",
        "Dolt nummer",
        "Rufnummer unterdrückt",
        "номер не определён",
        "未知",
        "Okänd",
        "Nummer unbekannt",
        "неизвестно",
        "私人号码",
        "anonymous@anonymous.invalid",
        # A system that hides digits, and what is typed where a form wants a number.
        "+4670174****",
        "+46701740xxx",
        "9999999999",
        "(555) 555-5555",
        "+15555555555",
        "000000000000",
        "1234567890",
    ],
)
def test_a_withheld_number_is_no_number(written: str | None) -> None:
    assert phone.parse(written, "SE") == phone.Parsed(written or "", None, NumberState.withheld)


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("9007", "SE"),
        ("9007", "BG"),
        ("9007", "NU"),
        ("100", "US"),
        ("sip:204@pbx.example.com", "GB"),
        ("555-0123", "US"),
        ("tel:7946-0001", "GB"),
        ("=+442079460001", "SE"),
        ("+442079460001 / +442079460002", "SE"),
        ("+44 20 7946", "SE"),
        ("1-800-FLOWERS", "US"),
        ("sip:buyer@borealis.example", "GB"),
        ("test", "SE"),
        ("+999 123 456 789", "SE"),
        ("+46" + "7" * 30, "SE"),
        ("0044 20 7946 0001 0000 0000", "SE"),
        ("07" * 41, "SE"),
        ("7" * 1_000_000, "SE"),
        ("\x00" * 5, "SE"),
        ("²³¹²³¹²³¹", "SE"),
        ("4.67017E+10", "SE"),
        ("0701740605, 0701740606", "SE"),
        ("Anna Berg (101)", "SE"),
        # Ten digits that are a number in no reading: the country code would make them a stranger's.
        ("2025550123", "SE"),
    ],
)
def test_what_is_no_subscribers_number_is_kept_and_not_completed(written: str, region: str) -> None:
    assert phone.parse(written, region) == phone.Parsed(written, None, NumberState.malformed)


def short_numbers(region: str) -> set[str]:
    """Return the emergency and service numbers by which a country's short plan is documented."""
    plan = phonenumbers.PhoneMetadata.short_metadata_for_region(region, None)
    parts = (plan.emergency, plan.short_code, plan.carrier_specific, plan.standard_rate) if plan else ()
    return {"112", "911", *(part.example_number for part in parts if part and part.example_number)}


def test_emergency_and_short_numbers_never_become_a_strangers_number() -> None:
    for region in sorted(phone.REGIONS):
        code = phonenumbers.country_code_for_region(region)
        for short in short_numbers(region):
            for written in (short, f"+{code}{short}", f"tel:{short}"):
                assert phone.parse(written, region).e164 is None, (written, region)


@given(st.text(max_size=90), st.sampled_from(sorted(phone.REGIONS)))
def test_whatever_is_sent_comes_to_a_verdict_that_stands(raw: str, region: str) -> None:
    parsed = phone.parse(raw, region)
    assert parsed.raw == raw
    assert (parsed.e164 is None) == (parsed.state in (NumberState.withheld, NumberState.malformed))


@given(
    st.from_regex(r"(\+|00|0|tel:|sip:)?[0-9][0-9 ()./-]{2,18}", fullmatch=True),
    st.sampled_from(sorted(phone.REGIONS)),
)
def test_reading_a_number_again_changes_nothing(raw: str, region: str) -> None:
    once = phone.parse(raw, region)
    if once.e164 is not None:
        for reader in (region, "ZZ", "US"):
            again = phone.parse(once.e164, reader)
            assert (again.e164, again.state) == (once.e164, once.state)
        assert 8 <= len(once.e164) <= 16 or once.state is NumberState.valid


def test_a_number_that_reads_as_another_when_read_again_is_nobodys() -> None:
    assert phone.parse("001000000", "KE").state is NumberState.malformed


def test_a_number_that_no_plan_knows_but_that_may_exist_is_kept_as_possible() -> None:
    assert phone.parse("+12025550123", "SE").e164 == DRIFT
    assert phone.parse("+46 8 999 999 999", "SE").state in (NumberState.possible, NumberState.malformed)
    assert phone.parse("+1 200 555 0123", "SE").state is NumberState.possible


def test_a_number_that_is_asked_for_is_named_with_the_remedy() -> None:
    assert phone.require("020 7946 0001", "GB", "destination") == BOREALIS
    with pytest.raises(
        ValueError, match=r"destination: '112' is not .*enter it with country code, such as \+46"
    ):
        phone.require("112", "SE", "destination")
    with pytest.raises(ValueError, match="enter it with country code"):
        phone.require("020 7946 0001", "ZZ", "destination")


@pytest.mark.parametrize(
    ("e164", "region", "read"),
    [
        (BOREALIS, "GB", "020 7946 0001"),
        (BOREALIS, "SE", "+44 20 7946 0001"),
        ("+46701740605", "SE", "070-174 06 05"),
        ("+46701740605", "GB", "+46 70 174 06 05"),
        ("+390212345678", "IT", "02 1234 5678"),
    ],
)
def test_people_read_numbers_as_they_write_them(e164: str, region: str, read: str) -> None:
    assert phone.national(e164, region) == read


def test_lists_and_logs_show_the_last_three_digits_only() -> None:
    assert phone.mask(BOREALIS) == "…001"
    assert phone.mask(None) == phone.mask("") == "withheld"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("4.67017E+10", "was rounded by a spreadsheet and its last digits are lost; export the file again"),
        ("4,67E+10", "was rounded by a spreadsheet"),
        ("0701740605, 0701740606", "has more than one phone number; keep one"),
        ("070-174 06 05 / 070-174 06 06", "has more than one phone number"),
        ("070174060O", "is not a phone number; enter it with country code"),
        ("07017406050701740606", "is not a phone number"),
    ],
)
def test_what_was_meant_for_a_number_and_cannot_be_read_is_told(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"caller: .*{reason}"):
        phone.check(written, "SE", "caller")


@pytest.mark.parametrize(
    "written", ["", "anonymous", "204", "sip:anna@pbx.example.com", "s", "vmu101", "+999123456789"]
)
def test_names_extensions_and_unknown_plans_are_no_mistakes(written: str) -> None:
    phone.check(written, "SE", "caller")


def test_a_number_in_full_is_read_by_its_plan_as_the_parser_of_all_forms_reads_it() -> None:
    read = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for example in examples(region):
            whole = phonenumbers.format_number(example, PhoneNumberFormat.E164)
            last = str((int(whole[-1]) + 1) % 10)
            for raw in (whole, whole[:-1], f"{whole}0", whole[:-1] + last, f"{whole[:-3]}000", whole[:-4]):
                if (found := phone._in_full(raw)) is not None:
                    read += 1
                    assert found == phone._in_any_form(raw, "SE") == phone._in_any_form(raw, "US")
    assert read > 1000
