"""Amounts: what people and files write becomes whole minor units, or is refused; never something else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import Invalid
from tracking.storage import money


@pytest.mark.parametrize(
    ("written", "code", "minor"),
    [
        ("1234.50", "EUR", 123450),
        ("1234.5", "EUR", 123450),
        ("1234", "EUR", 123400),
        ("1,234.50", "EUR", 123450),
        ("1.234,50", "EUR", 123450),
        ("1 234,50", "EUR", 123450),
        ("1\u00a0234,50", "EUR", 123450),
        ("1\u202f234\u202f567,50", "EUR", 123456750),
        ("1'234.50", "CHF", 123450),
        ("1’234.50", "CHF", 123450),
        ("1.234", "EUR", 123400),
        ("1,234", "EUR", 123400),
        ("1.234.567", "EUR", 123456700),
        ("12,34,567.00", "INR", 123456700),
        ("12,34,567", "INR", 123456700),
        ("0.5", "EUR", 50),
        ("0,05", "EUR", 5),
        ("0", "EUR", 0),
        ("-0.00", "EUR", 0),
        ("1234.000", "EUR", 123400),
        ("0.500", "EUR", 50),
        ("-1,234.50", "EUR", -123450),
        ("−1 234,50", "SEK", -123450),
        ("- 5", "EUR", -500),
        ("+5", "EUR", 500),
        (" 5 ", "EUR", 500),
        ("１２３４．５０", "EUR", 123450),
        ("1,234", "JPY", 1234),
        ("1234", "JPY", 1234),
        ("1234.00", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("1,234.567", "KWD", 1234567),
        ("1.234.567", "KWD", 1234567000),
        ("1234.5", "KWD", 1234500),
        ("1234.5678", "CLF", 12345678),
        ("1.234,50", "RSD", 123450),
        ("10 000 000 000 000,00", "EUR", money.LARGEST_MINOR),
    ],
)
def test_an_amount_is_read_as_whole_minor_units(written: str, code: str, minor: int) -> None:
    assert money.to_minor(written, code) == minor


@pytest.mark.parametrize(
    ("written", "decimal", "minor"),
    [("1.234", ".", None), ("1.234", ",", 123400), ("1,234", ".", 123400), ("1,50", ",", 150)],
)
def test_the_decimal_mark_of_a_file_settles_what_could_be_either(
    written: str, decimal: str, minor: int | None
) -> None:
    if minor is not None:
        assert money.to_minor(written, "EUR", decimal=decimal) == minor
        return
    with pytest.raises(Invalid, match="too many decimals; EUR has"):
        money.to_minor(written, "EUR", decimal=decimal)


@pytest.mark.parametrize(
    "written",
    [
        "1.234.50",
        "1,23,45",
        "12,3.45",
        "1.2.3",
        "1,234,5",
        "1234.567,00",
        "12 34",
        "1,234 567.00",
        "0,123,456",
    ],
)
def test_a_misplaced_mark_is_refused_since_passing_over_it_would_multiply_the_sum(written: str) -> None:
    with pytest.raises(Invalid, match=r"amount: .* is ambiguous; enter it as 1234.50"):
        money.to_minor(written, "EUR")


def test_a_decimal_point_in_a_file_with_decimal_commas_is_refused() -> None:
    with pytest.raises(Invalid, match=r"does not fit this column, .* enter it as 1234,50"):
        money.to_minor("1234.50", "EUR", decimal=",")


@pytest.mark.parametrize(
    ("written", "code"), [("1234.567", "EUR"), ("0.123", "EUR"), ("1.5", "JPY"), ("1.2345", "KWD")]
)
def test_more_decimals_than_the_currency_has_are_refused_and_never_rounded(written: str, code: str) -> None:
    with pytest.raises(Invalid, match=rf"has too many decimals; {code} has"):
        money.to_minor(written, code)


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "abc", "1e3", "NaN", "inf", "0x10", "1-2", "--5", ".5.", "5,", "(5)", "1_000", "5%"),
        *("$1,234.00", "USD 1,234.00", "1 234,50 kr", "9" * 61, "²", "10²", "½"),
    ],
)
def test_what_is_no_amount_is_refused_and_the_currency_is_asked_to_stand_apart(written: str) -> None:
    with pytest.raises(Invalid, match=r"price: .* is not an amount; enter digits .*, without the currency"):
        money.to_minor(written, "USD", "price")


@pytest.mark.parametrize("written", ["10000000000000.01", "-10 000 000 000 000,01", "9" * 60])
def test_an_amount_beyond_belief_is_taken_for_a_misread_mark(written: str) -> None:
    with pytest.raises(Invalid, match=r"is larger than .*check the decimal point"):
        money.to_minor(written, "EUR")


@pytest.mark.parametrize("huge", ["9" * 1_000_000, "1." * 500_000, " " * 1_000_000])
def test_a_refusal_does_not_repeat_a_megabyte(huge: str) -> None:
    with pytest.raises(Invalid) as refused:
        money.to_minor(huge, "EUR")
    assert len(str(refused.value)) < 200


AMOUNTS = st.integers(-money.LARGEST_MINOR, money.LARGEST_MINOR)


@given(AMOUNTS, st.sampled_from(["EUR", "JPY", "KWD", "CLF", "RSD"]))
def test_what_is_written_in_full_is_read_back_as_it_was(minor: int, code: str) -> None:
    major = money.to_major(minor, code)
    assert money.to_minor(f"{major:f}", code, decimal=".") == minor
    assert money.to_minor(f"{major:,f}", code, decimal=".") == minor
    if money.exponent(code) != 3:
        swiss = f"{major:,f}".replace(",", "'")
        assert money.to_minor(swiss, code) == minor


@given(AMOUNTS)
def test_whole_euros_in_any_house_style_are_the_same_sum(minor: int) -> None:
    english = f"{money.to_major(minor, 'EUR'):,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    swedish = english.translate(str.maketrans(",.", "\u00a0,"))
    assert {money.to_minor(text, "EUR") for text in (english, german, swedish)} == {minor}


@given(st.text("0123456789.,' +-", max_size=20), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_any_text_is_an_amount_or_a_named_refusal(text: str, code: str) -> None:
    try:
        minor = money.to_minor(text, code)
    except Invalid as refused:
        assert refused.field == "amount"  # noqa: PT017 - either outcome will do
    else:
        assert abs(minor) <= money.LARGEST_MINOR


@pytest.mark.parametrize(
    ("code", "decimals"),
    [
        ("EUR", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("ISK", 0),
        ("KWD", 3),
        ("IQD", 3),
        ("CLF", 4),
        ("RSD", 2),
        ("HUF", 2),
    ],
)
def test_the_decimals_of_a_currency_are_those_of_iso_4217(code: str, decimals: int) -> None:
    assert money.exponent(code) == decimals


def test_a_currency_is_written_in_three_capitals() -> None:
    assert money.currency(" eur ") == "EUR"
    with pytest.raises(Invalid, match="price_in: 'EURO' is not a currency code; enter three capital letters"):
        money.currency("EURO", "price_in")


@pytest.mark.parametrize(
    ("minor", "rate", "source", "target", "converted"),
    [
        (10000, 11.5, "EUR", "SEK", 115000),
        (100, 0.125, "EUR", "USD", 12),
        (300, 0.125, "EUR", "USD", 38),
        (-300, 0.125, "EUR", "USD", -38),
        (1000, 0.1, "JPY", "EUR", 10000),
        (12345, 1.0, "EUR", "JPY", 123),
        (1234567, 3.0, "KWD", "EUR", 370370),
        (3, 0.1, "EUR", "USD", 0),
        (0, 7.0, "EUR", "USD", 0),
        (10**15, 1.234567890123456, "EUR", "USD", 1234567890123456),
    ],
)
def test_a_conversion_rounds_once_half_to_even(
    minor: int, rate: float, source: str, target: str, converted: int
) -> None:
    assert money.convert(minor, rate, source, target) == converted


@given(AMOUNTS, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_conversion_at_par_changes_nothing(minor: int, code: str) -> None:
    assert money.convert(minor, 1.0, code, code) == minor
    assert money.to_major(minor, code) * 10 ** money.exponent(code) == Decimal(minor)
