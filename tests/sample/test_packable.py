"""What ``@packable`` makes of a class, and what it leaves as it is."""

import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field
from typing import ClassVar

import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray

import atdata
from atdata import DictSample, PackableSample, packable
from atdata._errors import DecodeError, SampleValueError, SchemaError
from atdata._sample import is_sample_type


@packable
class Photo:
    """A picture of an animal."""

    pixels: NDArray
    label: str
    confidence: float = 0.5

    def loudly(self):
        return self.label.upper()

    def parent_class(self):
        return __class__


@packable
class Tagged(Photo):
    tags: list[str] = field(default_factory=list)


@packable
@dataclass(frozen=True)
class Frozen:
    label: str
    count: int = 0


@packable
@dataclass(slots=True)
class Slotted:
    label: str
    count: int = 0


@packable
@dataclass(frozen=True, slots=True)
class FrozenSlotted:
    label: str
    count: int = 0


@dataclass
class Inherits(PackableSample):
    label: str
    count: int = 0


@dataclass(frozen=True)
class InheritsFrozen(PackableSample):
    label: str
    count: int = 0


@dataclass(slots=True)
class InheritsSlotted(PackableSample):
    label: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class InheritsFrozenSlotted(PackableSample):
    label: str
    count: int = 0


@packable
class PackableAndInherits(PackableSample):
    label: str
    count: int = 0


@packable
@dataclass(kw_only=True, order=True)
class KeywordOnly:
    count: int = 0
    label: str


@packable
class Normalized:
    label: str
    length: int = field(init=False)
    total: ClassVar[int] = 0

    def __post_init__(self):
        self.label = self.label.lower()
        self.length = len(self.label)


ALL = [
    Frozen,
    Slotted,
    FrozenSlotted,
    Inherits,
    InheritsFrozen,
    InheritsSlotted,
    InheritsFrozenSlotted,
    PackableAndInherits,
    KeywordOnly,
]


def photo():
    return Photo(np.arange(4, dtype=np.uint8).reshape(2, 2), "dog", 0.9)


def test_name_module_qualified_name_and_docstring_stay():
    assert (Photo.__name__, Photo.__qualname__, Photo.__module__) == ("Photo", "Photo", __name__)
    assert Photo.__doc__ == "A picture of an animal."


def test_annotations_and_signature_stay():
    assert inspect.get_annotations(Photo) == {"pixels": NDArray, "label": str, "confidence": float}
    assert list(inspect.signature(Photo).parameters) == ["pixels", "label", "confidence"]


def test_methods_stay():
    assert photo().loudly() == "DOG"
    assert issubclass(Photo, photo().parent_class())


@pytest.mark.parametrize("made", [Photo, Tagged, *ALL])
def test_a_packable_class_is_a_dataclass_and_a_packable_sample(made):
    assert dataclasses.is_dataclass(made)
    assert issubclass(made, PackableSample)
    assert is_sample_type(made)


@pytest.mark.parametrize("made", ALL)
def test_a_sample_of_every_kind_of_class_comes_back(made):
    sample = made(label="dog", count=3)
    again = made.from_bytes(sample.packed)
    assert type(again) is made
    assert again == sample


@pytest.mark.parametrize("made", ALL)
def test_a_sample_of_every_kind_of_class_takes_defaults(made):
    assert made.from_bytes(msgpack.packb({"label": "dog"})) == made(label="dog")


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_sample_pickles(made, protocol):
    sample = made(label="dog", count=3)
    assert pickle.loads(pickle.dumps(sample, protocol)) == sample


@pytest.mark.parametrize("made", [Frozen, FrozenSlotted, InheritsFrozen, InheritsFrozenSlotted])
def test_a_sample_of_a_frozen_class_that_was_read_stays_frozen(made):
    sample = made.from_bytes(made("dog").packed)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.label = "cat"
    assert hash(sample) == hash(made("dog"))


@pytest.mark.parametrize("made", [Slotted, FrozenSlotted, InheritsSlotted, InheritsFrozenSlotted])
def test_a_class_with_slots_has_no_dict(made):
    assert not hasattr(made.from_bytes(made("dog").packed), "__dict__")


def test_a_class_inherits_the_fields_of_a_packable_class():
    sample = Tagged(np.zeros(2), "dog", tags=["a"])
    again = Tagged.from_bytes(sample.packed)
    assert isinstance(again, Photo)
    assert (again.label, again.confidence, again.tags) == ("dog", 0.5, ["a"])


def test_the_payload_of_a_subclass_reads_as_its_base():
    assert Photo.from_bytes(Tagged(np.zeros(2), "dog", tags=["a"]).packed).label == "dog"


def test_the_payload_of_a_base_reads_as_a_subclass_with_defaults():
    assert Tagged.from_bytes(photo().packed).tags == []


def test_post_init_runs_on_what_was_read():
    sample = Normalized.from_bytes(msgpack.packb({"label": "DOG", "length": 0}))
    assert (sample.label, sample.length) == ("dog", 3)


def test_a_class_variable_is_no_field():
    assert set(msgpack.unpackb(Normalized("a").packed)) == {"label", "length"}


def test_a_class_local_to_a_function_sees_the_names_around_it():
    Text = str  # noqa: N806 -- a type

    @packable
    class Local:
        label: "Text"
        other: "Text | None" = None

    assert Local.from_bytes(Local("dog").packed) == Local("dog")
    assert Local.__qualname__.endswith("<locals>.Local")


def test_a_name_that_is_defined_further_down_is_found_when_it_is_needed():
    assert Early.from_bytes(Early(5).packed) == Early(5)


@packable
class Early:
    count: "Count"


Count = int


def test_an_annotation_that_cannot_be_resolved_is_refused_by_class_and_name():
    @packable
    class Broken:
        label: "NoSuchName"  # noqa: F821 -- the point

    with pytest.raises(SchemaError, match=r"Broken cannot be resolved: .*NoSuchName.*TYPE_CHECKING"):
        Broken("x").packed  # noqa: B018 -- raises


@pytest.mark.parametrize("annotation", ["np.NoSuchName", "list[", "5 +* 3"])
def test_an_annotation_that_is_no_type_is_refused_by_class(annotation):
    made = type("Broken", (), {"__annotations__": {"label": annotation}, "__module__": __name__})
    with pytest.raises(SchemaError, match="Broken"):
        packable(made)("x").packed  # noqa: B018 -- raises


def test_a_field_that_cannot_be_stored_is_refused_when_the_class_is_made():
    with pytest.raises(SchemaError, match=r"Broken\.number: values of type complex"):

        @packable
        class Broken:
            number: complex


def test_the_annotations_of_a_base_mean_what_they_mean_where_it_was_defined(tmp_path, monkeypatch):
    (tmp_path / "module_of_the_base.py").write_text(
        "from __future__ import annotations\n"
        "from atdata import packable\n"
        "Label = str\n"
        "@packable\n"
        "class Base:\n"
        "    label: Label\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from module_of_the_base import Base  # noqa: PLC0415 -- written above

    Label = int  # noqa: F841, N806 -- another meaning of the name

    @packable
    class Derived(Base):
        count: int = 0

    assert Derived.from_bytes(Derived("dog").packed) == Derived("dog")


def test_an_init_variable_is_no_field_and_its_class_is_refused_or_comes_back():
    def make():
        @packable
        class Scaled:
            value: int
            factor: dataclasses.InitVar[int] = 1

            def __post_init__(self, factor):
                self.value *= factor

        return Scaled

    try:
        scaled = make()
        again = scaled.from_bytes(scaled(5).packed)
    except SchemaError:
        return
    assert again.value == 5


def test_a_sample_is_made_from_arrays_or_from_their_bytes():
    data = {"pixels": np.ones(3), "label": np.str_("dog")}
    as_bytes = msgpack.unpackb(Photo(**data).packed)
    for made in (Photo.from_data(data), Photo.from_data(as_bytes)):
        assert made.pixels.tolist() == [1, 1, 1]
        assert (made.label, made.confidence) == ("dog", 0.5)


def test_data_that_lack_a_field_are_refused_by_name():
    with pytest.raises(DecodeError, match="`label`"):
        Photo.from_data({"pixels": np.ones(3)})


def test_data_that_no_sample_holds_are_refused_by_name():
    with pytest.raises(SampleValueError, match="field .*label.*found object"):
        Photo.from_data({"pixels": np.ones(3), "label": object()})


def test_as_wds_holds_the_payload_under_a_new_key_each_time():
    sample = photo()
    first, second = sample.as_wds, sample.as_wds
    assert set(first) == {"__key__", "msgpack"}
    assert first["msgpack"] == sample.packed
    assert first["__key__"] != second["__key__"]


@pytest.mark.parametrize(
    "other", [int, str, object, PackableSample, dataclass(type("Plain", (), {})), "Photo", None, 5]
)
def test_what_is_no_sample_type_is_told_apart(other):
    assert not is_sample_type(other)


def test_a_dict_sample_is_a_sample_type():
    assert is_sample_type(DictSample)


def test_the_errors_are_value_errors_and_the_librarys_own():
    with pytest.raises(ValueError, match="label"):
        Photo(np.ones(1), 5).packed  # noqa: B018 -- raises
    assert issubclass(SampleValueError, atdata.AtdataError)


def test_the_source_of_a_sample_type_is_found():
    assert inspect.getsource(Photo).startswith("@packable\nclass Photo:")


@pytest.mark.parametrize("name", ["packed", "as_wds", "from_bytes", "from_data"])
def test_a_field_that_hides_what_every_sample_has_is_refused(name):
    made = type("Hiding", (), {"__annotations__": {name: int}, "__module__": __name__})
    with pytest.raises(SchemaError, match=rf"Hiding\.{name}: every sample has"):
        packable(made)


def test_an_inherited_field_that_hides_what_every_sample_has_is_refused():
    @dataclasses.dataclass
    class Plain:
        packed: int = 0

    with pytest.raises(SchemaError, match=r"Derived\.packed: every sample has"):

        @packable
        class Derived(Plain):
            label: str = ""
