import copy
import datetime as dt
import decimal
import enum
import functools
import inspect
import math
import operator
import pathlib
import pickle
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import atdata
from atdata import F, query_fields
from atdata.manifest import FieldProxy, Predicate

NAN = math.nan


class Label(enum.Enum):
    DOG = "dog"
    CAT = "cat"


class Split(enum.IntEnum):
    TRAIN = 1


@atdata.packable
class Photo:
    label: str
    confidence: float
    tags: list[str]


FRAME = pl.DataFrame(
    {
        "label": ["dog", "cat", "TRAIN"],
        "n": [1, 2, 3],
        "m": [3, 2, 1],
        "x": [1.0, 2.5, 3.0],
        "day": [dt.date(2024, 1, day) for day in (1, 2, 3)],
        "ok": [True, False, True],
        "tags": [["a"], ["a", "b"], []],
        "a field": [1, 2, 3],
    }
)

SELECTED = {
    "F.label == 'dog'": (F.label == "dog", [1]),
    "F.n != 2": (F.n != 2, [1, 3]),
    "F.n > 1": (1 < F.n, [2, 3]),  # noqa: SIM300 -- the side is the point
    "F.n >= 2": (F.n >= 2, [2, 3]),
    "F.x < 2.5": (F.x < 2.5, [1]),
    "F.x <= 2.5": (F.x <= np.float64(2.5), [1, 2]),
    "F.n > F.m": (F.n > F.m, [3]),
    "F.n == F.m": (F.n == F.m, [2]),
    "F.ok == True": (F.ok == True, [1, 3]),  # noqa: E712 -- a question
    "F.day > datetime.date(2024, 1, 1)": (F.day > dt.date(2024, 1, 1), [2, 3]),
    "F.n.isin([1, 3])": (F.n.isin({1, 3}), [1, 3]),
    "F.x.isin([1, 2.5])": (F.x.isin([1, 2.5]), [1, 2]),
    "F.n.isin([1, 2.5])": (F.n.isin([1, 2.5]), [1]),
    "F.n.isin([])": (F.n.isin([]), []),
    "F.label.isin(['dog', 'cat'])": (F.label.isin([Label.DOG, Label.CAT]), [1, 2]),
    "F.n.between(2, 3)": (F.n.between(2, 3), [2, 3]),
    "F.n.between(1, F.m)": (F.n.between(1, F.m), [1, 2]),
    "F.tags.contains('a')": (F.tags.contains("a"), [1, 2]),
    "F.label.is_null()": (F.label.is_null(), []),
    "F.label.is_not_null()": (F.label.is_not_null(), [1, 2, 3]),
    "F['a field'] == 2": (F["a field"] == 2, [2]),
    "(F.n > 1) & (F.n < 3)": ((F.n > 1) & (F.n < 3), [2]),
    "(F.n == 1) | ~F.tags.contains('a')": ((F.n == 1) | ~F.tags.contains("a"), [1, 3]),
    "~((F.n == 1) | (F.n == 2))": (~((F.n == 1) | (F.n == 2)), [3]),
    "((F.n > 1) & (F.m > 1)) | (F.n == 3)": ((F.n > 1) & (F.m > 1) | (F.n == 3), [2, 3]),
}


def as_pandas():
    return pd.DataFrame({name: FRAME[name].to_list() for name in FRAME.columns}, index=[7, 8, 9])


@pytest.mark.parametrize("text", SELECTED)
def test_a_comparison_is_an_expression(text):
    predicate, expected = SELECTED[text]
    assert isinstance(predicate, Predicate)
    assert FRAME.filter(predicate.expr)["n"].to_list() == expected


@pytest.mark.parametrize("text", SELECTED)
def test_a_comparison_is_a_function_of_a_pandas_frame(text):
    predicate, expected = SELECTED[text]
    frame = as_pandas()
    for mask in (predicate(frame), predicate.compile()(frame)):
        assert isinstance(mask, pd.Series)
        assert mask.dtype == bool
        assert frame["n"][mask].tolist() == expected


@pytest.mark.parametrize("text", SELECTED)
def test_the_repr_shows_the_tree(text):
    assert repr(SELECTED[text][0]) == text


@pytest.mark.parametrize("text", SELECTED)
def test_a_predicate_is_a_value(text):
    predicate = SELECTED[text][0]
    for same in (pickle.loads(pickle.dumps(predicate)), copy.deepcopy(predicate)):
        assert same == predicate
        assert hash(same) == hash(predicate)
        assert_frame_equal(FRAME.filter(same.expr), FRAME.filter(predicate.expr))
    compiled = pickle.loads(pickle.dumps(predicate.compile()))
    assert compiled(as_pandas()).sum() == len(SELECTED[text][1])
    with pytest.raises((AttributeError, TypeError)):  # the latter is CPython 3.11's
        predicate.anything = 1


def test_different_predicates_are_different():
    predicates = [predicate for predicate, _ in SELECTED.values()]
    assert len(set(predicates)) == len(predicates)


@pytest.mark.parametrize(
    ("member", "text"), [(Label.DOG, "dog"), (Split.TRAIN, "TRAIN")], ids=["of text", "of numbers"]
)
def test_an_enum_member_stands_for_its_text(member, text):
    assert FRAME.filter((F.label == member).expr)["label"].to_list() == [text]
    assert FRAME.filter(F.label.isin([member]).expr)["label"].to_list() == [text]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (pathlib.Path("a") / "b", "a/b"),
        (pathlib.PureWindowsPath("a", "b"), "a/b"),
    ],
    ids=["UUID", "path", "Windows path"],
)
def test_what_columns_hold_as_text_stands_for_it(value, text):
    frame = pl.DataFrame({"a": [text, "other"]})
    assert frame.filter((F.a == value).expr)["a"].to_list() == [text]
    assert (F.a.isin([value]))(frame.to_pandas()).to_list() == [True, False]


@pytest.mark.parametrize("join", [operator.or_, operator.and_], ids=["or", "and"])
def test_hundreds_of_comparisons_are_joined(join):
    many = functools.reduce(join, [F.n == n for n in range(1, 1500)])
    plain = functools.reduce(join, [FRAME["n"] == n for n in range(1, 1500)])
    assert FRAME.select(many.expr.alias("n"))["n"].to_list() == plain.to_list()
    assert many(as_pandas()).tolist() == plain.to_list()
    assert pickle.loads(pickle.dumps(many)) == many
    assert repr(many).startswith("(F.n == 1) ")


def test_how_comparisons_are_joined_makes_no_other_predicate():
    one, two, three = F.n == 1, F.n == 2, F.n == 3
    assert (one | two) | three == one | (two | three)
    assert (one | two) & three != one | (two & three)
    assert repr((one | two) & three) == "((F.n == 1) | (F.n == 2)) & (F.n == 3)"


def test_a_mixed_enum_stands_for_its_names():
    mixed = enum.Enum("mixed", {"dog": "x", "cat": 1})
    assert FRAME.filter((F.label == mixed.dog).expr)["label"].to_list() == ["dog"]


@pytest.mark.parametrize(
    "value",
    [
        np.str_("dog"),
        np.int8(3),
        np.float32(0.5),
        np.bool_(True),
        decimal.Decimal("1.5"),
        b"x",
        dt.timedelta(1),
        np.datetime64("2024-01-01"),
        2**70,
    ],
    ids=repr,
)
def test_what_columns_hold_can_be_compared_with(value):
    assert isinstance((F.a == value).expr, pl.Expr)


REFUSED = {
    "None": (lambda: F.label == None, r"'label' with None.*\.is_null\(\)"),  # noqa: E711 -- the slip
    "not None": (lambda: F.label != None, r"with None.*\.is_not_null\(\)"),  # noqa: E711 -- the slip
    "NaN": (lambda: F.n > NAN, r"NaN is null in the sample table.*\.is_null\(\)"),
    "NumPy's NaN": (lambda: F.n > np.float32("nan"), "NaN is null"),
    "None in isin": (lambda: F.n.isin([1, None]), "None is null"),
    "NaN in isin": (lambda: F.n.isin([1, NAN]), "NaN is null"),
    "None in between": (lambda: F.n.between(None, 1), "None is null"),
    "contains None": (lambda: F.tags.contains(None), "None is null"),
    "a list": (lambda: F.n == [1, 2], r"with a list, \[1, 2\].*\.isin\(\[\.\.\.\]\).*\.contains"),
    "a dict": (lambda: F.n == {}, "with a dict"),
    "an array": (lambda: F.n == np.array([1]), "with a ndarray"),
    "an expression": (lambda: F.n == pl.col("m"), "with a Expr"),
    "a predicate": (lambda: F.n == (F.m == 1), "with a Comparison"),
    "an object": (lambda: F.n == object(), "with a object"),
    "a complex number": (lambda: F.n == 1j, "with a complex"),
    "a giant": (lambda: F.n == 2**200, "no column holds"),
    "isin of text": (lambda: F.label.isin("dog"), "several values, such as a list; found str 'dog'"),
    "isin of a number": (lambda: F.n.isin(1), "several values, such as a list; found int 1"),
    "isin of a field": (lambda: F.n.isin([F.m]), "not the field 'm'"),
    "contains a field": (lambda: F.tags.contains(F.label), "not the field 'label'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_column_holds_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(atdata.PredicateError, match=message):
        make()


@pytest.mark.parametrize(
    "slip",
    [
        lambda: 0 < F.n < 2,
        lambda: F.n == 1 and F.m == 1,
        lambda: F.n == 1 or F.m == 1,
        lambda: not F.n == 1,  # noqa: SIM201 -- the slip
        lambda: F.label in ["dog", "cat"],
        lambda: bool(F.n),
    ],
    ids=["chain", "and", "or", "not", "in", "a field"],
)
def test_python_s_own_logic_is_refused_with_what_to_write(slip):
    with pytest.raises(TypeError, match="& . ~ and parentheses|compare it: F.n == True"):
        slip()


@pytest.mark.parametrize(
    "join", [lambda one: one & 1, lambda one: one | "x", lambda one: True & one], ids=["and", "or", "right"]
)
def test_predicates_combine_with_predicates_alone(join):
    with pytest.raises(TypeError, match="unsupported operand"):
        join(F.n == 1)


def test_more_numbers_than_a_few_are_one_membership():
    assert FRAME.filter(F.n.isin(range(2, 1000)).expr)["n"].to_list() == [2, 3]
    assert "is_in" in str(F.n.isin(range(1000)).expr)


def test_fields_are_had_by_name():
    assert isinstance(F.label, FieldProxy)
    assert F.label.name == F["label"].name == FieldProxy("label").name == "label"
    assert repr(F.label) == "FieldProxy('label')"
    assert F.__key__.name == "__key__"


@pytest.mark.parametrize("name", ["__wrapped__", "_repr_html_", "_ipython_display_", "__array__", "_hidden"])
def test_names_with_an_underscore_are_no_fields_unless_asked_for_by_item(name):
    assert not hasattr(F, name)
    assert F[name].name == name


def test_fields_are_copied_pickled_and_inspected_as_anything():
    assert pickle.loads(pickle.dumps(F)).label.name == copy.copy(F).label.name == copy.deepcopy(F).label.name == "label"
    assert pickle.loads(pickle.dumps(F.label)).name == "label"
    assert inspect.unwrap(F) is F
    fields = pickle.loads(pickle.dumps(query_fields(Photo)))
    with pytest.raises(AttributeError, match="labell"):
        _ = fields.labell


@pytest.mark.parametrize(
    "use", [list, lambda fields: "label" in fields, lambda fields: fields[0]], ids=["list", "in", "item"]
)
def test_fields_are_not_listed_by_position(use):
    with pytest.raises(TypeError, match="by name|is text|not iterable"):
        use(F)


def test_the_name_of_a_field_is_text():
    with pytest.raises(TypeError, match="a field's name is text, not 1"):
        FieldProxy(1)


def test_a_field_cannot_be_a_key_of_a_dict():
    with pytest.raises(TypeError, match="unhashable"):
        {F.label: 1}  # noqa: B018 -- made to fail


def test_the_fields_of_a_type_are_known():
    fields = query_fields(Photo)
    assert [fields.label.name, fields["confidence"].name, fields.__shard__.name] == ["label", "confidence", "__shard__"]
    assert {"label", "confidence", "tags"} <= set(dir(fields))
    assert repr(fields) == "query_fields(Photo)"


@pytest.mark.parametrize(
    "get", [lambda fields: fields.confidense, lambda fields: fields["confidense"]], ids=["name", "item"]
)
def test_a_field_that_the_type_lacks_is_named_with_near_misses(get):
    with pytest.raises(AttributeError, match="Photo has no manifest field 'confidense' .did you mean 'confidence'"):
        get(query_fields(Photo))


def test_a_type_whose_fields_nobody_declared_has_any():
    assert query_fields(atdata.DictSample).anything.name == "anything"


def test_what_is_no_sample_type_has_no_fields():
    with pytest.raises(atdata.SchemaError, match="is no dataclass"):
        query_fields(int)


def test_lists_may_be_missing_or_arrays_in_a_pandas_frame():
    frame = pd.DataFrame({"tags": [["a"], None, math.nan, np.array(["a", "b"]), [], ("b",)]})
    assert F.tags.contains("a")(frame).tolist() == [True, False, False, True, False, False]
