"""Which lens leads from one type to another: those registered, those that follow from the fields, and what to write."""

import pickle
from typing import Annotated, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import atdata
from atdata import DictSample, ImageField, Lens, LensNetwork, LensNotFoundError, ManifestField, SchemaError, identity
from atdata._lens._lens import StructuralLens, view_of
from tests.tiers import law


@atdata.packable
class Photo:
    pixels: NDArray[np.uint8]
    label: Annotated[str, ManifestField("categorical")]
    width: int
    image: Annotated[bytes, ImageField()] = b""


@atdata.packable
class Thumb:
    label: str
    pixels: NDArray[Any]
    width: float | None = None
    note: str = "new"


@atdata.packable
class Stranger:
    title: str
    pixels: NDArray[np.uint8]


def photo(number: int = 3) -> Photo:
    return Photo(np.full((2, 2), number, np.uint8), "dog", number)


def new_type(name: str, **fields: Any) -> Any:
    return atdata.packable(type(name, (), {"__annotations__": fields, "__module__": __name__, "__qualname__": name}))


# -- registered


def test_there_is_one_network() -> None:
    assert LensNetwork() is LensNetwork()


def test_a_decorated_function_is_found_by_its_types() -> None:
    source, view = new_type("Source", a=int), new_type("View", a=int)

    @atdata.lens
    def source_to_view(sample: source) -> view:
        return view(sample.a)

    assert LensNetwork().transform(source, view) is source_to_view


def test_a_lens_is_registered_by_hand_and_the_last_one_counts() -> None:
    source, view = new_type("Source", a=int), new_type("View", a=int)

    def first(sample: source) -> view:
        return view(sample.a)

    lenses = [Lens(first), Lens(first)]
    for lens in lenses:
        LensNetwork().register(lens)
        assert LensNetwork().transform(source, view) is lens


def test_what_is_no_lens_is_not_registered() -> None:
    with pytest.raises(SchemaError, match="expected a Lens.*found builtin_function_or_method"):
        LensNetwork().register(print)


def test_every_packable_type_has_a_lens_from_dict_sample() -> None:
    found = LensNetwork().transform(DictSample, Photo)
    assert (found.source_type, found.view_type) == (DictSample, Photo)
    seen = found(DictSample.from_bytes(photo().packed))
    assert (type(seen), seen.label, seen.pixels.tolist()) == (Photo, "dog", [[3, 3], [3, 3]])


def test_a_lens_from_dict_sample_puts_back_what_it_showed() -> None:
    found = LensNetwork().transform(DictSample, new_type("Named", label=str))
    source = DictSample(label="dog", width=3)
    assert found.put(found(source), source) == source
    assert found.put(found.view_type(label="wolf"), source) == DictSample(label="wolf", width=3)


def test_a_lens_from_dict_sample_that_somebody_wrote_comes_first() -> None:
    view = new_type("Upper", label=str)

    @atdata.lens
    def upper(sample: DictSample) -> view:
        return view(sample.label.upper())

    assert LensNetwork().transform(DictSample, view) is upper
    assert view_of(DictSample, view) is upper


# -- by the fields


def test_a_type_whose_fields_are_all_there_is_a_view_by_its_fields() -> None:
    view = view_of(Photo, Thumb)
    assert isinstance(view, StructuralLens)
    seen = view(photo(5))
    assert (seen.label, seen.width, seen.note, seen.pixels.tolist()) == ("dog", 5.0, "new", [[5, 5], [5, 5]])


def test_a_view_by_the_fields_puts_back_the_fields_that_both_have() -> None:
    small = new_type("Small", label=str, width=int)
    put = view_of(Photo, small).put(small("wolf", 9), photo(5))
    assert (put.label, put.width, put.pixels.tolist()) == ("wolf", 9, [[5, 5], [5, 5]])


Whole = new_type("Whole", label=str, width=int, score=float | None)
Part = new_type("Part", score=float | None, label=str)
wholes = st.builds(Whole, st.text(), st.integers(0, 9), st.none() | st.floats(allow_nan=False))
parts = st.builds(Part, st.none() | st.floats(allow_nan=False), st.text())


@law(100)
@given(wholes, parts, parts)
def test_a_view_by_the_fields_is_well_behaved(whole: Any, part: Any, other: Any) -> None:
    lens = view_of(Whole, Part)
    assert lens.put(lens.get(whole), whole) == whole
    assert lens.get(lens.put(part, whole)) == part
    assert lens.put(part, lens.put(other, whole)) == lens.put(part, whole)


def test_a_registered_lens_comes_before_the_fields() -> None:
    source, view = new_type("Source", a=int), new_type("View", a=int)

    @atdata.lens
    def doubled(sample: source) -> view:
        return view(2 * sample.a)

    assert view_of(source, view) is doubled


def test_a_sample_is_a_view_of_itself() -> None:
    sample = photo()
    assert view_of(Photo, Photo)(sample) is sample


def test_everything_is_seen_as_dict_sample() -> None:
    assert view_of(Photo, DictSample)(photo()).width == 3


def test_an_image_may_be_decoded_otherwise() -> None:
    decoded = new_type("Decoded", image=Annotated[bytes, ImageField(decode="numpy")])
    assert isinstance(view_of(Photo, decoded), StructuralLens)


def test_a_view_by_the_fields_pickles() -> None:
    again = pickle.loads(pickle.dumps(view_of(Photo, Thumb)))
    assert again(photo()).label == "dog"


# -- what to write


def test_no_lens_says_what_to_write() -> None:
    with pytest.raises(LensNotFoundError) as raised:
        view_of(Photo, Stranger)
    assert str(raised.value) == (
        "no lens leads from Photo to Stranger, and its fields are not all there (Stranger.title: Photo has no such "
        "field); write one:\n"
        "\n"
        "    @atdata.lens\n"
        "    def photo_to_stranger(sample: Photo) -> Stranger:\n"
        "        return Stranger(title=..., pixels=...)"
    )


def test_what_to_write_runs() -> None:
    with pytest.raises(LensNotFoundError) as raised:
        LensNetwork().transform(Photo, Stranger)
    code = "\n".join(line.removeprefix("    ") for line in str(raised.value).split("\n") if line.startswith("    "))
    names = {"atdata": atdata, "Photo": Photo, "Stranger": Stranger, "Lens": Lens}
    before = dict(LensNetwork()._lenses)
    try:
        exec(code.replace("...", "sample.label", 1).replace("...", "sample.pixels"), names)  # noqa: S102
        assert view_of(Photo, Stranger)(photo()).title == "dog"
    finally:
        LensNetwork()._lenses.clear()
        LensNetwork()._lenses.update(before)


def test_other_types_say_which_field_differs() -> None:
    other = new_type("Other", label=int, width=int)
    with pytest.raises(LensNotFoundError, match=r"Other.label: int in Other, str in Photo"):
        view_of(Photo, other)


def test_a_near_miss_of_a_field_is_named() -> None:
    other = new_type("Other", lable=str)
    with pytest.raises(LensNotFoundError, match=r"Other.lable: Photo has no such field \(did you mean 'label'\?\)"):
        view_of(Photo, other)


def test_a_type_that_shares_nothing_is_no_view_though_its_defaults_would_fill_it() -> None:
    @atdata.packable
    class Settings:
        rate: float = 0.1

    with pytest.raises(LensNotFoundError, match="Settings has no field in common with Photo"):
        view_of(Photo, Settings)


def test_lenses_from_the_source_are_listed_with_near_misses() -> None:
    source, view, wanted = new_type("From", a=int), new_type("Stranger2", b=int), new_type("Stranger", c=int)

    @atdata.lens
    def lead(sample: source) -> view:
        return view(sample.a)

    with pytest.raises(LensNotFoundError, match=r"Lenses from From lead to 'Stranger2' \(did you mean 'Stranger2'\?\)"):
        LensNetwork().transform(source, wanted)


def test_a_way_over_another_type_is_shown_not_taken() -> None:
    first, middle, last = (new_type(name, **{name.lower(): int}) for name in ("First", "Middle", "Last"))

    @atdata.lens
    def first_to_middle(sample: first) -> middle:
        return middle(sample.first)

    @atdata.lens
    def middle_to_last(sample: middle) -> last:
        return last(sample.middle)

    with pytest.raises(LensNotFoundError, match=r"over Middle: .*register\(first_to_middle \| middle_to_last\)"):
        view_of(first, last)
    LensNetwork().register(first_to_middle | middle_to_last)
    assert view_of(first, last)(first(7)) == last(7)


def test_a_lens_between_types_that_were_defined_again_is_told_of() -> None:
    source, view = new_type("Cell", a=int), new_type("CellView", b=int)

    @atdata.lens
    def lead(sample: source) -> view:
        return view(sample.a)

    with pytest.raises(LensNotFoundError, match="an earlier Cell to an earlier CellView: define it again too"):
        view_of(new_type("Cell", a=int), view)


def test_it_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no lens leads from Photo to Stranger"):
        LensNetwork().transform(Photo, Stranger)


@pytest.mark.parametrize(
    ("source", "view", "name"), [(Photo, str, "str"), (pl.DataFrame, Photo, "DataFrame"), (Photo, 7, "7")]
)
def test_only_sample_types_are_views(source: Any, view: Any, name: str) -> None:
    with pytest.raises(SchemaError, match=f"{name} is no sample type"):
        view_of(source, view)


def test_identity_is_a_lens_of_one_type() -> None:
    lens = identity(Photo)
    assert (lens.source_type, lens.view_type) == (Photo, Photo)
