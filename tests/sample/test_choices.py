"""Enums and literals: what is stored, what is refused, what comes back."""

import enum
from typing import Annotated, Any, Literal, Optional

import numpy as np
import pytest

from atdata._errors import DecodeError, SampleValueError, SchemaError


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
    ROUGE = "r"  # noqa: PIE796 -- an alias


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Mixed(enum.Enum):
    TEXT = "NUMBER"
    NUMBER = 7
    PAIR = (1, 2)


class Word(enum.StrEnum):
    YES = "yes"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Empty(enum.Enum):
    pass


@pytest.mark.parametrize(
    ("kind", "member", "stored"),
    [
        (Colour, Colour.RED, "r"),
        (Word, Word.YES, "yes"),
        (Size, Size.LARGE, "LARGE"),
        (Mixed, Mixed.TEXT, "TEXT"),
        (Mixed, Mixed.NUMBER, "NUMBER"),
        (Mixed, Mixed.PAIR, "PAIR"),
    ],
)
def test_a_member_is_stored_as_its_text_value_or_else_its_name(kind, member, stored, one):
    assert one(kind).stored(member) == stored
    assert one(kind).back(member) is member


def test_members_come_back_from_lists_and_optionals(one):
    assert one(list[Colour]).back([Colour.GREEN, Colour.RED]) == [Colour.GREEN, Colour.RED]
    assert one(Optional[Size]).back(None) is None  # noqa: UP045 -- the spelling is the point


@pytest.mark.parametrize(("kind", "raw", "member"), [(Size, 2, Size.LARGE), (Mixed, 7, Mixed.NUMBER)])
def test_the_number_that_an_older_writer_stored_is_read(kind, raw, member, one):
    assert one(kind).decoded(raw) is member


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (Colour, "r", r"expected a Colour, found str 'r'; Colour\('r'\) makes one"),
        (Colour, Word.YES, "expected a Colour, found Word"),
        (Size, 2, r"expected a Size, found int 2; Size\(2\) makes one"),
        (Size, True, "expected a Size, found bool"),
        (Colour, None, "expected a Colour, found NoneType"),
    ],
)
def test_what_is_no_member_is_refused_by_field(kind, value, problem, one):
    with pytest.raises(SampleValueError, match=f"field 'value': {problem}"):
        one(kind).stored(value)


@pytest.mark.parametrize(
    ("kind", "raw", "problem"),
    [
        (Size, "LARG", r"Size has no 'LARG' \(did you mean 'LARGE'\?\); it has 'SMALL', 'LARGE'"),
        (Size, 3, "Size has no 3"),
        (Colour, "RED", "Colour has no 'RED'; it has 'r', 'g'"),
        (Colour, 1, "value"),
        (Size, True, "value"),
    ],
)
def test_a_payload_that_names_no_member_is_refused_by_field(kind, raw, problem, one):
    with pytest.raises(DecodeError, match=f"Holder.*{problem}"):
        one(kind).decoded(raw)


@pytest.mark.parametrize(("kind", "problem"), [(Access, "is a Flag.*store its int"), (Empty, "has no members")])
def test_an_enum_that_cannot_be_stored_is_refused(kind, problem, one):
    with pytest.raises(SchemaError, match=f"Holder.value: .*{problem}"):
        one(kind)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (Literal["a", "b"], "b"),
        (Literal[1, 2], 2),
        (Literal[True, False], False),
        (Literal[1, True], True),
        (Literal[1, True], 1),
        (Literal["a", 1, None], None),  # noqa: PYI061 -- the spelling is the point
        (Optional[Literal["a"]], None),  # noqa: UP045 -- as above
        (list[Literal["a", "b"]], ["b", "a"]),
        (Literal["a"] | None, "a"),
        (Annotated[Literal["a"], "a note"], "a"),
    ],
    ids=repr,
)
def test_a_literals_values_come_back_as_they_are(literal, value, one):
    again = one(literal).back(value)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    ("literal", "value", "stored"), [(Literal["a"], np.str_("a"), "a"), (Literal[1], np.int8(1), 1)]
)
def test_a_numpy_scalar_is_the_value_that_it_is(literal, value, stored, one):
    assert one(literal).stored(value) == stored


@pytest.mark.parametrize(
    ("literal", "value", "problem"),
    [
        (Literal["dog", "cat"], "dgo", "expected one of 'dog', 'cat', found str 'dgo'; did you mean 'dog'?"),
        (Literal[1, 2], True, "expected one of 1, 2, found bool True"),
        (Literal[True], 1, "expected one of True, found int 1"),
        (Literal[1], 1.0, "expected one of 1, found float"),
        (Literal["a"], None, "expected one of 'a', found NoneType"),
        (Literal["a"], b"a", "expected one of 'a', found bytes"),
    ],
    ids=repr,
)
def test_what_is_no_value_of_the_literal_is_refused_by_field(literal, value, problem, one):
    with pytest.raises(SampleValueError, match=f"field 'value': {problem}"):
        one(literal).stored(value)


@pytest.mark.parametrize(
    ("literal", "raw"), [(Literal["a"], "b"), (Literal[1], True), (Literal[1, 2], 3), (Literal["a"], 1)]
)
def test_a_payload_that_is_no_value_of_the_literal_is_refused_by_field(literal, raw, one):
    with pytest.raises(DecodeError, match="Holder.*value"):
        one(literal).decoded(raw)


@pytest.mark.parametrize("literal", [Literal[b"a"], Literal[Colour.RED], Literal[2**63]], ids=repr)
def test_a_literal_of_what_cannot_be_one_is_refused(literal: Any, one):
    with pytest.raises(SchemaError, match=r"Holder\.value: a Literal's"):
        one(literal)


def test_an_alias_is_its_member_and_is_read_by_its_name(one):
    class Renamed(enum.Enum):
        NEW = 1
        OLD = 1  # noqa: PIE796 -- what the member was called before

    assert one(Renamed).stored(Renamed.OLD) == "NEW"
    assert one(Renamed).decoded("OLD") is Renamed.NEW


@pytest.mark.parametrize(
    ("annotation", "raw", "path"),
    [
        (list[Size], ["SMALL", "HUGE"], r"value\[1\]"),
        (list[list[Size]], [["SMALL"], ["LARGE", "HUGE"]], r"value\[1\]\[1\]"),
        (tuple[int, Size], [1, "HUGE"], r"value\[1\]"),
        (dict[str, Size], {"a": "HUGE"}, r"value\['a'\]"),
    ],
    ids=str,
)
def test_a_wrong_element_of_a_payload_is_named_by_its_path(annotation, raw, path, one):
    with pytest.raises(DecodeError, match=rf"""field ['"]{path}['"]: Size has no 'HUGE'"""):
        one(annotation).decoded(raw)
