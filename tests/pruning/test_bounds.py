"""Each rule of bounds and counts, and where it must not prune."""

import datetime as dt
import decimal
import math

import polars as pl
import pytest

from atdata._pruning import survivors
from atdata._pruning._survivors import is_one_of, side
from tests.pruning.strategies import Known

a, b = pl.col("a"), pl.col("b")
#: l and h hold low and high values, c and n one value (n nulls, too), m is null everywhere, u is unknown but for how
#: many rows it has, e has no rows.
NUMBERS = pl.DataFrame(
    {
        "letter": list("lhcnmue"),
        "rows": [9, 9, 9, 9, 9, 9, 0],
        "nulls:a": [0, 1, 0, 1, 9, None, 0],
        "min:a": [0, 5, 3, 3, None, None, None],
        "max:a": [4, 9, 3, 3, None, None, None],
    },
    schema_overrides={"rows": pl.UInt32, "nulls:a": pl.UInt32},
)
RULES = {
    "above": (a > 4, "hu"),
    "above, turned": (pl.lit(4) < a, "hu"),
    "at least": (a >= 4, "lhu"),
    "below": (a < 5, "lcnu"),
    "at most": (a <= 5, "lhcnu"),
    "below all": (a < 0, "u"),
    "equal": (a == 4, "lu"),
    "equal, between values": (a == 8, "hu"),
    "unequal": (a != 3, "lhu"),
    "unequal to another": (a != 4, "lhcnu"),
    "equal or null": (a.eq_missing(8), "hu"),
    "neither equal nor null": (~a.eq_missing(3), "lhnmu"),
    "unequal or null": (a.ne_missing(3), "lhnmu"),
    "null": (a.is_null(), "hnmu"),
    "null by comparison": (a.eq_missing(None), "hnmu"),
    "not null": (a.is_not_null(), "lhcnu"),
    "range": (a.is_between(4, 5), "lhu"),
    "range without its ends": (a.is_between(3, 5, closed="none"), "lu"),
    "range without its low end": (a.is_between(9, 10, closed="right"), "u"),
    "range without its high end": (a.is_between(9, 10, closed="left"), "hu"),
    "range up to the low end": (a.is_between(-3, 0, closed="left"), "u"),
    "range that includes the low end": (a.is_between(-3, 0, closed="right"), "lu"),
    "outside a range": (~a.is_between(0, 4), "hu"),
    "outside a range without its ends": (~a.is_between(0, 4, closed="none"), "lhu"),
    "member": (a.is_in([-1, 3, 20]), "lcnu"),
    "member, between values": (a.is_in([-1, 10]), "u"),
    "member of ends": (a.is_in([9, 4]), "lhu"),
    "no member": (~a.is_in([3, 7]), "lhu"),
    "no member, next to one": (~a.is_in([2, 4]), "lhcnu"),
    "no member, all below": (~a.is_in([1, 2]), "lhcnu"),
    "no member, from one on": (~a.is_in([5]), "lhcnu"),
    "member of nothing": (a.is_in([]), ""),
    "member of null alone": (a.is_in([None], nulls_equal=True), "hnmu"),
    "member or null": (a.is_in([7, None], nulls_equal=True), "hnmu"),
    "member, where null is none": (a.is_in([7, None]), "hu"),
    "no member, where null would be one": (~a.is_in([3], nulls_equal=True), "lhnmu"),
    "rounded as the rows are": (a > 3.5, "lhu"),
    "rounded, next to the end": (a > 4.0, "hu"),
    "beyond the dtype": (a < 2**63, "lhcnu"),
    "never, beyond the dtype": (a > 2**63, ""),
    "strictly widened": (a.cast(pl.Float64).is_between(3.5, 4.5), "lu"),
    "both": ((a > 4) & (a < 5), "u"),
    "either": ((a > 8) | (a < 3), "lhu"),
    "either, one unknown": ((a > 8) | (a % 2 == 0), "lhcnmu"),
    "both, one unknown": ((a > 8) & (a % 2 == 0), "hu"),
    "neither": (~((a > 4) | (a < 3)), "lcnu"),
    "not both": (~((a >= 3) & (a <= 3)), "lhu"),
    "where another holds": (pl.when(a > 4).then(a < 9).otherwise(pl.lit(False)), "hu"),
    "otherwise": (pl.when(a > 4).then(a > 99).otherwise(a > 3), "lhu"),
    "filled with false": ((a > 4).fill_null(False), "hu"),
    "filled with true": ((a > 99).fill_null(True), "lhcnmu"),
    "always": (pl.lit(True), "lhcnmu"),
    "never": (a.is_not_null() & pl.lit(False), ""),
    "unknown": (pl.lit(None, pl.Boolean) & (a > 4), ""),
}


@pytest.mark.parametrize(("predicate", "expected"), RULES.values(), ids=RULES)
def test_what_might_match_is_left(left, predicate, expected):
    assert left(predicate, NUMBERS, a=pl.Int64()) == expected


#: As Polars hands them over where it does not turn a negation: inside of other conditions.
NEGATED = {
    "not above": (~(a > 4), "lcnu"),
    "not at least": (~(a >= 4), "lcnu"),
    "not below": (~(a < 5), "hu"),
    "not at most": (~(a <= 5), "hu"),
    "not equal": (~(a == 3), "lhu"),
    "not unequal": (~(a != 8), "hu"),
    "not unequal or null": (~a.ne_missing(8), "hu"),
    "not null": (~a.is_null(), "lhcnu"),
    "not not null": (~a.is_not_null(), "hnmu"),
    "not in a range": (~a.is_between(0, 4), "hu"),
    "not in a range without its ends": (~a.is_between(0, 4, closed="none"), "lhu"),
    "not in a range without its low end": (~a.is_between(3, 9, closed="right"), "lcnu"),
    "not in a range without its high end": (~a.is_between(3, 9, closed="left"), "lhu"),
    "not both": (~((a >= 3) & (a <= 3)), "lhu"),
    "not one of two": (~((a > 4) | (a < 3)), "lcnu"),
    "not either": (~pl.any_horizontal(a > 4, a < 3), "lcnu"),
    "not otherwise": (~pl.when(a > 4).then(pl.lit(True)).otherwise(a < 4), "lhu"),
    "not filled": (~(a > 4).fill_null(True), "lcnu"),
    "not filled with false": (~(a >= 0).fill_null(False), "lhcnmu"),
    "not not": (~~(a > 4), "hu"),
}


@pytest.mark.parametrize(("predicate", "expected"), NEGATED.values(), ids=NEGATED)
def test_negations_that_polars_leaves_are_turned(predicate, expected):
    kept = survivors([predicate], {"a": pl.Int64()}, Known(NUMBERS), len(NUMBERS))
    assert "".join(NUMBERS["letter"].filter(kept)) == expected


NOTHING_PROVED = {
    "arithmetic": a + 1 > 99,
    "a narrowing cast": a.cast(pl.Int8, strict=False) > 99,
    "a strict one": a.cast(pl.Int8) > 99,
    "a wrapping one": a.cast(pl.UInt8, wrap_numerical=True) > 99,
    "to text": a.cast(pl.String) == "99",
    "sign": -a > 99,
    "exclusive or": (a > 99) ^ (a > 98),
    "equal conditions": (a > 99) == (a < 0),
    "coalesce": pl.coalesce(a, 99) > 98,
}


@pytest.mark.parametrize("predicate", NOTHING_PROVED.values(), ids=NOTHING_PROVED)
def test_what_no_rule_knows_leaves_all_with_rows(left, predicate):
    # A shard without rows needs no rule, where statistics are looked at for another reason.
    assert left(predicate, NUMBERS, a=pl.Int64()).rstrip("e") == "lhcnmu"


def test_two_fields_are_compared_by_the_bounds_of_both(left):
    statistics = pl.DataFrame(
        {
            "letter": list("xyznm"),
            "rows": [2, 2, 2, 2, 2],
            "min:a": [0, 5, 9, 9, 9],
            "max:a": [5, 6, 9, 9, 9],
            "nulls:a": [0, 0, 0, 2, 0],
            "min:b": [5, 1, 9, 9, None],
            "max:b": [8, 5, 9, 9, None],
            "nulls:b": [0, 0, 0, 1, 2],
        }
    )
    schema = {"a": pl.Int64(), "b": pl.Int64()}
    assert left(a > b, statistics, **schema) == "y"
    assert left(a >= b, statistics, **schema) == "xyz"
    assert left(a == b, statistics, **schema) == "xyz"
    assert left(a != b, statistics, **schema) == "xy"
    assert left(a < b, statistics, **schema) == "x"
    assert left(a.eq_missing(b), statistics, **schema) == "xyzn"
    assert left(a.ne_missing(b), statistics, **schema) == "xynm"


def test_members_of_another_dtype_prove_nothing():
    found = side(a, {"a": pl.Int64()})
    assert is_one_of(found, pl.Series([1], dtype=pl.Int8), nulls_equal=False, wanted=True) is None


def one_shard(dtype, low, high):
    return pl.DataFrame(
        {
            "letter": ["s"],
            "rows": [5],
            "nulls:a": [0],
            "min:a": pl.Series([low], dtype=dtype),
            "max:a": pl.Series([high], dtype=dtype),
        }
    )


NAN = pl.lit(math.nan)
NOON = dt.datetime(2026, 1, 2, 12)
#: dtype, bounds, what might match, what can't.
KINDS = {
    "int64 at its ends": (pl.Int64(), -(2**63), -(2**63) + 1, a < 0, a > -(2**63) + 1),
    "int64 beyond 2**53": (pl.Int64(), 2**53 + 1, 2**53 + 1, a == 2**53 + 1, a == 2**53),
    "int64 as float, rounded": (pl.Int64(), 2**53 + 1, 2**53 + 1, a == 2.0**53, a == 2.0**53 + 2),
    "uint64": (pl.UInt64(), 2**64 - 2, 2**64 - 1, a >= 2**64 - 1, a < 2**64 - 2),
    "int8 beyond itself": (pl.Int8(), -3, 100, a < 300, a > 300),
    "int8 as float": (pl.Int8(), -3, 100, a > 99.5, a > 100.5),
    "int8 as int64": (pl.Int8(), -3, 100, a == pl.lit(100, pl.Int64), a == pl.lit(101, pl.Int64)),
    "float64": (pl.Float64(), -1.5, 0.1, a >= 0.1, a > 0.1),
    "float64 with int": (pl.Float64(), -1.5, 0.1, a < 0, a > 1),
    "the zeros are equal": (pl.Float64(), 0.0, 0.0, a == -0.0, a < 0),
    "the zeros are one member": (pl.Float64(), 0.0, 0.0, a.is_in([-0.0]), ~a.is_in([-0.0])),
    "the zeros, turned": (pl.Float64(), -0.0, -0.0, a.is_in([0.0]), a > 0),
    "infinite": (pl.Float64(), 1.0, math.inf, a > 1e308, a < 1),
    "nan is above": (pl.Float64(), 1.0, 2.0, a < NAN, a == NAN),
    "float32, as it rounds": (pl.Float32(), 0.1, 0.1, a == 0.1, a == pl.lit(0.1, pl.Float64) + 1e-3),
    "float32 as float64": (pl.Float32(), 0.1, 0.1, a.cast(pl.Float64) > 0.1, a.cast(pl.Float64) <= 0.1),
    "text": (pl.String(), "b", "d", a == "c", a == "e"),
    "text of more bytes": (pl.String(), "a", "é", a > "z", a > "日"),
    "text between": (pl.String(), "b", "d", a.is_in(["a", "cc"]), a.is_in(["a", "e"])),
    "start of text": (pl.String(), "car", "dog", a.str.starts_with("d"), a.str.starts_with("dx")),
    "start below": (pl.String(), "car", "dog", a.str.starts_with("ca"), a.str.starts_with("ba")),
    "start as long as the bound": (pl.String(), "car", "dog", a.str.starts_with("car-1"), a.str.starts_with("cap")),
    "start with more bytes": (pl.String(), "é", "日", a.str.starts_with("éa"), a.str.starts_with("e")),
    "no start": (pl.String(), "car", "car", ~a.str.starts_with("d"), a.str.starts_with("d")),
    "boolean": (pl.Boolean(), False, True, a, a.is_null()),
    "always true": (pl.Boolean(), True, True, a, ~a),
    "always false": (pl.Boolean(), False, False, ~a, a),
    "date": (pl.Date(), dt.date(2026, 1, 1), dt.date(2026, 1, 3), a > dt.date(2026, 1, 2), a > dt.date(2026, 1, 3)),
    "datetime": (pl.Datetime("us"), NOON, NOON, a >= NOON, a > NOON),
    "datetime with a date": (pl.Datetime("us"), NOON, NOON, a > NOON.date(), a < NOON.date()),
    "datetime in milliseconds": (
        pl.Datetime("us"),
        NOON,
        NOON + dt.timedelta(microseconds=1),
        a <= pl.lit(NOON, pl.Datetime("ms")),
        a > pl.lit(NOON + dt.timedelta(seconds=1), pl.Datetime("ms")),
    ),
    "moment in another zone": (
        pl.Datetime("us", "UTC"),
        NOON.replace(tzinfo=dt.UTC),
        NOON.replace(tzinfo=dt.UTC),
        a == dt.datetime(2026, 1, 2, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        a == NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
    ),
    "duration": (pl.Duration("us"), dt.timedelta(0), dt.timedelta(1), a > dt.timedelta(hours=1), a < dt.timedelta(0)),
    "time": (pl.Time(), dt.time(3), dt.time(4), a < dt.time(4), a < dt.time(3)),
    "decimal": (
        pl.Decimal(10, 2),
        decimal.Decimal("1.50"),
        decimal.Decimal("1.51"),
        a > decimal.Decimal("1.505"),
        a > decimal.Decimal("1.51"),
    ),
    "decimal with int": (pl.Decimal(10, 2), decimal.Decimal("1.50"), decimal.Decimal("1.51"), a > 1, a >= 2),
    "decimal as float": (pl.Decimal(10, 2), decimal.Decimal("1.50"), decimal.Decimal("1.51"), a > 1.505, a > 1.52),
    "decimal member": (
        pl.Decimal(10, 2),
        decimal.Decimal("1.50"),
        decimal.Decimal("1.51"),
        a.is_in([decimal.Decimal("1.5")]),
        a.is_in([decimal.Decimal("1.6")]),
    ),
}


@pytest.mark.parametrize(("dtype", "low", "high", "may", "cannot"), KINDS.values(), ids=KINDS)
def test_values_of_each_dtype_compare_as_rows_do(left, dtype, low, high, may, cannot):
    statistics = one_shard(dtype, low, high)
    rows = pl.DataFrame({"a": statistics["min:a"]}).vstack(pl.DataFrame({"a": statistics["max:a"]}))
    assert left(may, statistics, a=dtype) == "s"
    assert left(cannot, statistics, a=dtype) == ""
    assert rows.filter(cannot).is_empty()


@pytest.mark.parametrize("known", ["min:a", "max:a"])
def test_one_bound_alone_proves_what_it_can(left, known):
    statistics = one_shard(pl.Int64(), 5, 9).select("letter", "rows", "nulls:a", known)
    assert left(a > 9, statistics, a=pl.Int64()) == ("" if known == "max:a" else "s")
    assert left(a == 4, statistics, a=pl.Int64()) == ("" if known == "min:a" else "s")
    assert left(a.is_in([4, 10]), statistics, a=pl.Int64()) == "s"


def test_bounds_prove_without_counts(left):
    statistics = one_shard(pl.Int64(), 5, 9).drop("nulls:a")
    assert left(a > 9, statistics, a=pl.Int64()) == ""
    assert left(a.is_null(), statistics, a=pl.Int64()) == "s"


def test_a_bound_need_not_be_a_value(left):
    # "prefix-a" and "prefix-c", cut and rounded up.
    statistics = one_shard(pl.String(), "prefix", "prefiy")
    assert left(a == "prefix-b", statistics, a=pl.String()) == "s"
    assert left(a != "prefix", statistics, a=pl.String()) == "s"
    assert left(a > "prefix-b", statistics, a=pl.String()) == "s"
    assert left(a > "prefiy", statistics, a=pl.String()) == ""


def test_lists_are_not_compared_but_counted(left):
    statistics = pl.DataFrame({"letter": ["s", "m"], "rows": [5, 5], "nulls:a": [0, 5]})
    assert left(a.is_null(), statistics, a=pl.List(pl.Int64())) == "m"
    assert left(a.is_not_null(), statistics, a=pl.List(pl.Int64())) == "s"
    assert left(a.list.contains(1), statistics, a=pl.List(pl.Int64())) == "s"
    assert left(~a.list.contains(1), statistics, a=pl.List(pl.Int64())) == "s"
    assert left(a == [1], statistics, a=pl.List(pl.Int64())) == "sm"


INTEGERS = [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_are_widened_to_just_those_that_hold_them_all(dtype):
    ends = pl.select(dtype.min().alias("a"), dtype.max().alias("b")).transpose().to_series()
    for wider in INTEGERS:
        holds = not ends.cast(pl.Int128).cast(wider, strict=False).has_nulls()
        assert (side(a.cast(wider), {"a": dtype}) is not None) == holds


def test_elements_of_lists_that_were_changed_first_prove_nothing(left):
    schema, lists = (
        {"t": pl.List(pl.Int64)},
        pl.DataFrame({"letter": ["x"], "rows": [3], "nulls:t": [0], "values:t": [[7]]}),
    )
    assert left(pl.col("t").list.head(1).list.contains(1), lists, **schema) == "x"
