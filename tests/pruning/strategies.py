"""Random shards, what is known of them, and random predicates: for the law that pruning changes no answer."""

import datetime as dt
import decimal
import functools
import itertools
import math
from typing import NamedTuple

import polars as pl
from hypothesis import strategies as st

D = decimal.Decimal
UTC = dt.UTC
NOON = dt.datetime(2026, 1, 2, 12)
EPOCH = dt.datetime(1970, 1, 1)

#: Fields by name: their dtype, and the values that they take, in no order. Edges, and neighbours of edges.
POOLS = {
    "i64": (
        pl.Int64(),
        [
            -(2**63),
            -(2**63) + 1,
            -(2**53) - 1,
            -(2**53),
            -1,
            0,
            1,
            2,
            3,
            2**53 - 1,
            2**53,
            2**53 + 1,
            2**63 - 2,
            2**63 - 1,
        ],
    ),
    "other": (pl.Int64(), [-(2**53) - 1, -1, 0, 1, 2, 5, 2**53, 2**53 + 1, 2**63 - 1]),
    "u64": (pl.UInt64(), [0, 1, 2, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]),
    "i8": (pl.Int8(), [-128, -127, -1, 0, 1, 2, 3, 126, 127]),
    "u16": (pl.UInt16(), [0, 1, 2, 255, 256, 65535]),
    "f64": (
        pl.Float64(),
        [
            -math.inf,
            -1.5,
            -1.0,
            -5e-324,
            -0.0,
            0.0,
            5e-324,
            0.1,
            0.5,
            1.0,
            1.5,
            2.0,
            2.0**53,
            2.0**53 + 2,
            1e308,
            math.inf,
        ],
    ),
    "f32": (pl.Float32(), [-math.inf, -1.0, -0.0, 0.0, 0.1, 0.5, 1.0, 1.5, 16777216.0, 3e38, math.inf]),
    "text": (
        pl.String(),
        ["", "a", "A", "ab", "abc", "b", "dog", "é", "e\u0301", "ß", "日本", "😀", "😀a", "\x00", "~"],
    ),
    "long": (
        pl.String(),
        [
            "prefix",
            "prefix-a",
            "prefix-b",
            "prefix-bb",
            "pre\U0010ffff",
            "prefix\U0010ffff\U0010ffff",
            "prefiy",
            "\U0010ffff" * 6,
        ],
    ),
    "flag": (pl.Boolean(), [True, False]),
    "also": (pl.Boolean(), [True, False]),
    "tags": (pl.List(pl.String()), [[], ["a"], ["a", "b"], ["é", None], [None], ["dog", "dog"], ["", "日本"]]),
    "sizes": (pl.List(pl.Int64()), [[], [0], [1, 2], [2, None], [None], [2**53 + 1], [-(2**63), 2**63 - 1]]),
    "ratios": (pl.List(pl.Float64()), [[], [0.5], [-0.0, 1.0], [0.0], [math.nan], [math.nan, None, math.inf]]),
    "day": (
        pl.Date(),
        [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2026, 1, 2), dt.date(9999, 12, 31)],
    ),
    "time": (
        pl.Datetime("us"),
        [EPOCH, EPOCH - dt.timedelta(microseconds=1), NOON, NOON + dt.timedelta(microseconds=1), NOON.replace(hour=0)],
    ),
    "moment": (
        pl.Datetime("us", "UTC"),
        [each.replace(tzinfo=UTC) for each in (EPOCH, NOON, NOON + dt.timedelta(microseconds=1), NOON.replace(hour=0))],
    ),
    "span": (pl.Duration("us"), [dt.timedelta(microseconds=each) for each in (-1, 0, 1, 1000, 1001, 86_400_000_000)]),
    "money": (
        pl.Decimal(10, 2),
        [D(each) for each in ("-1.50", "-0.01", "0.00", "0.01", "1.00", "1.50", "99999999.99")],
    ),
}
#: Literals that are no values of a field: what people compare it with, of neighbouring types.
NEIGHBOURS = {
    "i64": [0.5, -0.5, 2.0**53, 2.0**63, -(2.0**63), math.inf, math.nan, 2**63, -(2**63) - 1, 2**70],
    "u64": [-1, 0.5, 2.0**63, 2.0**64, 2**64, -0.5],
    "i8": [128, -129, 300, 0.5, 127.5, pl.lit(1, pl.Int64), pl.lit(200, pl.UInt8), pl.lit(1.5, pl.Float32)],
    "u16": [-1, 65536, 0.5, pl.lit(1, pl.Int8), pl.lit(-1, pl.Int64)],
    "f64": [0, 1, 2, 2**53 + 1, math.nan, pl.lit(0.1, pl.Float32), pl.lit(1, pl.UInt8)],
    "f32": [0, 1, 16777217, math.nan, 1e39, pl.lit(0.1, pl.Float64), pl.lit(0.5, pl.Float64), pl.lit(1, pl.Int64)],
    "text": ["c", "aa", "z"],
    "long": ["pref", "prefix-", "prefix-bz", "q"],
    "day": [NOON, EPOCH, dt.date(2000, 1, 1)],
    "time": [
        dt.date(2026, 1, 2),
        pl.lit(NOON, pl.Datetime("ms")),
        pl.lit(NOON, pl.Datetime("ns")),
        dt.datetime(2000, 1, 1),
    ],
    "moment": [
        dt.datetime(2000, 1, 1, tzinfo=UTC),
        dt.datetime(2026, 1, 2, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    ],
    "span": [dt.timedelta(1), pl.lit(dt.timedelta(milliseconds=1), pl.Duration("ms"))],
    "money": [D("1.5"), D("1.555"), D("0.001"), D("1e12"), 1, 0, 1.5, 0.01, 0.1],
}
#: Text bounds are cut to so many characters, as an index may cut them.
CUT = 6


class Case(NamedTuple):
    """Shards, what is known of them, and questions."""

    #: The columns, `__key__` among them.
    schema: dict
    #: The rows of each shard.
    frames: list
    #: Exact statistics, one row a shard.
    exact: pl.DataFrame
    #: Those of which parts are withheld.
    known: pl.DataFrame
    predicates: list

    @property
    def rows(self):
        """All rows, with the name of their shard."""
        return pl.concat(
            [each.with_columns(pl.lit(shard_name(n)).alias("__shard__")) for n, each in enumerate(self.frames)]
        )

    @property
    def bounds(self):
        """The exact statistics without listed values."""
        return self.exact.select(name for name in self.exact.columns if not name.startswith("values:"))

    @property
    def columns(self):
        """The schema that a query has."""
        return {"__shard__": pl.String(), **self.schema}


class Known:
    """Statistics at hand; of them just what is asked for is given."""

    def __init__(self, given):
        self.given = given
        self.asked = []

    def frame(self, fields):
        self.asked.append(list(fields))
        names = ["rows", *(name for name in self.given.columns if (name.partition(":")[2] or name) in fields)]
        return self.given.select(list(dict.fromkeys(names)))


def shard_name(number):
    return f"shard-{number:03d}"


# -- rows


@st.composite
def shards(draw, names):
    """Draw the rows of a few shards; in each of them a field takes few of its values, or none."""
    numbers = itertools.count()
    frames = []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.sampled_from([0, 1, 1, 2, 3, 5]))
        columns = {"__key__": pl.Series([f"k{next(numbers):03d}" for _ in range(rows)], dtype=pl.String)}
        for name in names:
            dtype, pool = POOLS[name]
            few = draw(st.lists(st.sampled_from(pool), max_size=3)) + draw(st.sampled_from([[], [], [None]]))
            cells = [draw(st.sampled_from(few or [None])) for _ in range(rows)]
            columns[name] = pl.Series(cells, dtype=dtype)
        frames.append(pl.DataFrame(columns))
    return frames


# -- statistics


def exact_statistics(frames, schema):
    """Return all that may be known of shards, in one row each."""
    return pl.concat([_of_one(frame, schema, shard_name(number)) for number, frame in enumerate(frames)])


def _of_one(frame, schema, name):
    facts = {"rows": pl.Series([len(frame)], dtype=pl.UInt32), "__shard__": pl.Series([name])}
    for field, dtype in schema.items():
        column = frame[field]
        facts[f"nulls:{field}"] = pl.Series([column.null_count()], dtype=pl.UInt32)
        listed = column.explode(empty_as_null=False) if dtype.is_nested() else column
        if listed.dtype.is_float():
            listed = listed.drop_nans()
        if field != "__key__":
            facts[f"values:{field}"] = pl.Series([listed.drop_nulls().unique()], dtype=pl.List(listed.dtype))
        if not dtype.is_nested():
            low, high = (column.min(), column.max()) if dtype != pl.String else text_bounds(column)
            facts[f"min:{field}"] = pl.Series([low], dtype=dtype)
            facts[f"max:{field}"] = pl.Series([high], dtype=dtype)
    return pl.DataFrame(facts)


def text_bounds(column):
    """Return bounds of texts, cut where they are long: the upper one rounded up, and unknown where it can't be."""
    low, high = column.min(), column.max()
    return low if low is None else low[:CUT], high if high is None or len(high) <= CUT else _above(high[:CUT])


def _above(text):
    rest = text.rstrip("\U0010ffff")
    return rest[:-1] + chr(ord(rest[-1]) + 1) if rest else None


@st.composite
def withheld(draw, exact):
    """Draw statistics of which parts are missing: columns, cells, or everything of a shard."""
    kept = {"rows": exact["rows"]}
    for name in exact.columns:
        fate = draw(st.sampled_from(["whole", "whole", "whole", "missing", "cells"]))
        if name == "__shard__" or (name != "rows" and fate == "whole"):
            kept[name] = exact[name]
        elif name != "rows" and fate == "cells":
            known = [draw(st.booleans()) for _ in range(len(exact))]
            kept[name] = exact.select(pl.when(pl.Series(known, dtype=pl.Boolean)).then(pl.col(name)).alias(name))[name]
    frame = pl.DataFrame(kept)
    if draw(st.integers(0, 5)):
        return frame
    gone = draw(st.integers(0, len(exact) - 1))
    return frame.with_columns(pl.when(pl.int_range(len(exact)) != gone).then(pl.exclude("__shard__")))


# -- predicates

OPERATORS = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "eq_missing", "ne_missing"]


@functools.cache
def literals(name):
    dtype, pool = POOLS.get(name, (pl.String(), [f"k{n:03d}" for n in range(8)]))
    plain = st.sampled_from(pool)
    return st.one_of(
        plain.map(pl.lit),
        plain.map(lambda value: pl.lit(value, dtype)),
        st.sampled_from(NEIGHBOURS.get(name, pool)).map(
            lambda value: value if isinstance(value, pl.Expr) else pl.lit(value)
        ),
    )


@functools.cache
@st.composite
def comparisons(draw, name):
    value, sign = draw(literals(name)), draw(st.sampled_from(OPERATORS))
    left, right = (pl.col(name), value) if draw(st.booleans()) else (value, pl.col(name))
    return getattr(left, sign)(right)


@functools.cache
@st.composite
def ranges(draw, name):
    closed = draw(st.sampled_from(["both", "left", "right", "none"]))
    return pl.col(name).is_between(draw(literals(name)), draw(literals(name)), closed=closed)


@functools.cache
@st.composite
def memberships(draw, name):
    dtype, pool = POOLS.get(name, (pl.String(), [f"k{n:03d}" for n in range(8)]))
    some = draw(st.lists(st.sampled_from([*pool, None]), max_size=5))
    nulls_equal = draw(st.booleans())
    values = pl.Series(some, dtype=dtype) if draw(st.booleans()) else [each for each in some if each is not None]
    return pl.col(name).is_in(values.implode() if isinstance(values, pl.Series) else values, nulls_equal=nulls_equal)


@functools.cache
@st.composite
def elements(draw, name):
    dtype, pool = POOLS[name]
    value = draw(st.sampled_from([*itertools.chain.from_iterable(pool), "z" if name == "tags" else 7]))
    lists, nulls_equal = pl.col(name), draw(st.booleans())
    typed = pl.lit(value, dtype.inner)
    forms = [
        lists.list.contains(typed, nulls_equal=nulls_equal),
        lists.list.contains(typed),
        typed.is_in(lists, nulls_equal=nulls_equal),
        lists.list.len() > draw(st.integers(0, 2)),
        lists.list.eval(pl.element() == typed).list.any(),
        lists.list.first() == typed,
        lists.list.set_intersection(pl.lit(pl.Series([[value]], dtype=dtype))).list.len() > 0,
        lists == pl.lit(pl.Series([draw(st.sampled_from(pool))], dtype=dtype)).first(),
    ]
    return draw(st.sampled_from(forms))


#: What is made of a field before it is asked about, by what fields are.
MADE = {
    "number": [
        lambda x: x + 1 > 2,
        lambda x: x - 1 < 0,
        lambda x: x * 2 == 2,
        lambda x: -x.cast(pl.Float64) > 0,
        lambda x: x.abs() <= 1,
        lambda x: x % 2 == 1,
        lambda x: x.cast(pl.Float64) > 0.5,
        lambda x: x.cast(pl.Float32) >= 16777216.0,
        lambda x: x.cast(pl.Float64, strict=False) == 2.0**53,
        lambda x: x.cast(pl.Int8, strict=False) <= 1,
        lambda x: x.cast(pl.Int8) > 1,
        lambda x: x.cast(pl.UInt8, wrap_numerical=True) == 255,
        lambda x: x.cast(pl.Int128) > 2**63 - 1,
        lambda x: x.cast(pl.String) == "-0.0",
        lambda x: x.cast(pl.String).str.starts_with("-"),
        lambda x: 1 / x.cast(pl.Float64) < 0,
        lambda x: x.cast(pl.Boolean),
        lambda x: x.clip(0, 1) == 1,
        lambda x: x.cast(pl.Float64).is_nan(),
        lambda x: x.cast(pl.Float64).is_infinite(),
        lambda x: x.fill_null(1) == 1,
        lambda x: x.round(0) == 0,
        lambda x: x.sign() == -1,
    ],
    "text": [
        lambda x: x.str.starts_with("pre"),
        lambda x: x.str.starts_with("prefix-b"),
        lambda x: x.str.starts_with("😀"),
        lambda x: x.str.starts_with(""),
        lambda x: ~x.str.starts_with("a"),
        lambda x: x.str.ends_with("b"),
        lambda x: x.str.contains("a|é"),
        lambda x: x.str.len_chars() > 1,
        lambda x: x.str.to_uppercase() == "A",
        lambda x: x.str.slice(0, 1) == "a",
        lambda x: x.cast(pl.Int64, strict=False) > 0,
        lambda x: x.fill_null("a") == "a",
        lambda x: x + "b" == "ab",
        lambda x: x.str.contains("^pre"),
        lambda x: x.replace({"a": "b"}) == "b",
    ],
    "time": [
        lambda x: x.dt.year() == 2026,
        lambda x: x.dt.truncate("1d") == NOON.replace(hour=0),
        lambda x: x.dt.offset_by("1d") > NOON,
        lambda x: x.cast(pl.Int64) > 0,
    ],
    "flag": [
        lambda x: x,
        lambda x: ~x,
        lambda x: x == True,  # noqa: E712 -- as people write it
        lambda x: x.fill_null(True),
        lambda x: x.cast(pl.Int8) > 0,
        lambda x: x.is_in([True]),
        lambda x: x.not_().not_(),
    ],
}


def kind(name):
    dtype = POOLS[name][0]
    if dtype.is_numeric() and not dtype.is_decimal():
        return "number"
    return {pl.String: "text", pl.Boolean: "flag", pl.Datetime: "time", pl.Date: "time"}.get(type(dtype))


@st.composite
def pairs(draw, names):
    """Compare two fields of a kind, or ask for both."""
    comparable = [pair for pair in itertools.permutations(names, 2) if kind(pair[0]) and kind(pair[0]) == kind(pair[1])]
    if not comparable:
        return pl.col(names[0]).is_null() == pl.col(names[-1]).is_null()
    one, two = (pl.col(name) for name in draw(st.sampled_from(comparable)))
    return draw(
        st.sampled_from(
            [
                *(getattr(one, sign)(two) for sign in OPERATORS),
                one.is_between(two, one),
                pl.max_horizontal(one, two) == one,
                pl.coalesce(one, two).is_not_null(),
                one.is_in(pl.concat_list(two)),
            ]
        )
    )


@st.composite
def of_places(draw):
    """Ask about keys and shards."""
    key, shard = pl.col("__key__"), pl.col("__shard__")
    name = shard_name(draw(st.integers(0, 3)))
    forms = [
        key == f"k{draw(st.integers(0, 12)):03d}",
        key.str.starts_with("k00"),
        key > shard,
        shard == name,
        shard != name,
        ~(shard > name),
        shard.is_in([name, "none"]),
        shard.str.ends_with("1"),
        shard.is_null(),
        shard.is_not_null(),
        (shard == name) | (key > "k003"),
        shard.str.slice(-1).cast(pl.Int64) > 1,
    ]
    return draw(st.sampled_from(forms))


CONSTANTS = st.sampled_from([pl.lit(True), pl.lit(False), pl.lit(None, pl.Boolean)])


def leaves(names):
    scalars = [name for name in names if not POOLS[name][0].is_nested()]
    lists = [name for name in names if POOLS[name][0].is_nested()]
    options = [
        st.sampled_from(names).flatmap(
            lambda name: st.sampled_from([pl.col(name).is_null(), pl.col(name).is_not_null()])
        )
    ]
    options += [pairs(names), of_places(), CONSTANTS]
    if scalars:
        some = st.sampled_from(scalars)
        options += [some.flatmap(comparisons)] * 5 + [some.flatmap(ranges), some.flatmap(memberships)] * 2
        made = [name for name in scalars if kind(name)]
        if made:
            options += [st.sampled_from(made).flatmap(made_of)] * 2
    if lists:
        options += [st.sampled_from(lists).flatmap(elements)] * 2
    if "__key__" not in names:
        options += [comparisons("__key__"), ranges("__key__"), memberships("__key__")]
    return st.one_of(options)


@functools.cache
def made_of(name):
    return st.sampled_from(MADE[kind(name)]).map(lambda make: make(pl.col(name)))


@functools.cache
def trees(names):
    """Return predicates: conditions, combined, at most four deep."""
    leaf = leaves(names)
    tree = leaf
    for _ in range(3):
        tree = st.one_of(leaf, tree, combinations(tree))
    return tree


@st.composite
def combinations(draw, inner):
    one, two = draw(inner), draw(inner)
    forms = [
        lambda: one & two,
        lambda: one & two,
        lambda: one | two,
        lambda: one | two,
        lambda: ~one,
        lambda: ~(one & two),
        lambda: ~(one | two),
        lambda: one ^ two,
        lambda: one == two,
        lambda: one.eq_missing(two),
        one.is_null,
        lambda: one.is_not_null() & two,
        lambda: one.fill_null(draw(st.booleans())),
        lambda: one.fill_null(two),
        lambda: pl.all_horizontal(one, two, one),
        lambda: pl.any_horizontal(one, two),
        lambda: pl.when(one).then(two).otherwise(~two),
        lambda: pl.when(one).then(two),
        lambda: pl.when(one).then(draw(CONSTANTS)).otherwise(two),
        lambda: pl.coalesce(one, two),
    ]
    return draw(st.sampled_from(forms))()


@st.composite
def cases(draw, questions):
    """Draw a case: one to four fields, a few shards, and some predicates (to make shards takes longer than to ask)."""
    names = draw(st.lists(st.sampled_from(sorted(POOLS)), min_size=1, max_size=4, unique=True))
    frames = draw(shards(names))
    schema = {"__key__": pl.String(), **{name: POOLS[name][0] for name in names}}
    exact, predicates = exact_statistics(frames, schema), trees(tuple(sorted(names)))
    return Case(schema, frames, exact, draw(withheld(exact)), [draw(predicates) for _ in range(questions)])
