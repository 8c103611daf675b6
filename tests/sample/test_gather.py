"""Batches made of payloads: what is stacked, what stays a list, and samples as if each had been decoded alone."""

import dataclasses
import datetime as dt
import decimal
import pickle
import uuid
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from atdata import DictSample, SampleBatch, packable
from atdata._errors import DecodeError
from atdata._sample import gatherer_of, layout_of
from tests.tiers import law


@packable
class Photo:
    pixels: NDArray
    label: str
    count: int = 0


@packable
class Pair:
    left: NDArray
    right: NDArray | None = None


@packable
class Inner:
    mask: NDArray
    name: str


@packable
class Rich:
    moment: dt.datetime
    price: decimal.Decimal
    number: uuid.UUID
    inner: Inner
    several: list[NDArray]
    tags: list[str] = dataclasses.field(default_factory=lambda: ["none"])


@packable
@dataclasses.dataclass(frozen=True)
class Frozen:
    pixels: NDArray
    label: str


@packable
@dataclasses.dataclass(slots=True)
class Slotted:
    pixels: NDArray
    label: str


@packable
class Finished:
    pixels: NDArray
    label: str

    def __post_init__(self) -> None:
        self.pixels = self.pixels / 2
        self.shape = self.pixels.shape


@packable
class WithDefault:
    label: str
    pixels: NDArray = dataclasses.field(default_factory=lambda: np.ones(3, np.float32))


@packable
class Nothing:
    pass


def photos(*shapes, dtype=np.float32):
    return [Photo(np.full(shape, number, dtype), f"photo {number}", number) for number, shape in enumerate(shapes)]


def gathered(samples, size=1000, kind=None):
    """Return the one batch that samples' payloads make."""
    gatherer = gatherer_of(kind or type(samples[0]), size)
    for sample in samples:
        payload = bytearray(sample.packed)
        gatherer.add(memoryview(payload))
        payload[:] = bytes(len(payload))  # what was taken is the batch's own
    assert gatherer.count == len(samples)
    return gatherer.take()


def packed(samples):
    return [sample.packed for sample in samples]


def test_arrays_are_stacked_along_a_new_first_axis():
    pixels = gathered(photos((2, 3), (2, 3), (2, 3))).pixels
    assert pixels.shape == (3, 2, 3)
    assert pixels[:, 1, 2].tolist() == [0, 1, 2]
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["u1", ">f8", "<M8[s]", "?", "c8", "<U5", "S3", "V4"])
def test_a_stack_has_the_dtype_and_the_values_of_the_arrays(dtype):
    arrays = [np.array([number, 1]).astype("u1" if dtype == "V4" else dtype).astype(dtype) for number in range(3)]
    batch = gathered([Photo(array, "") for array in arrays])
    assert batch.pixels.dtype == np.dtype(dtype)
    assert np.array_equal(batch.pixels, np.stack(arrays))


def test_the_samples_arrays_are_rows_of_the_stack_and_can_be_written_to():
    batch = gathered(photos((2,), (2,)))
    batch.samples[1].pixels[:] = 7
    assert batch.pixels.tolist() == [[0, 0], [7, 7]]
    batch.pixels[0] = 9
    assert batch.samples[0].pixels.tolist() == [9, 9]


def test_arrays_of_no_dimension_are_rows_too():
    batch = gathered(photos((), ()))
    assert batch.pixels.tolist() == [0, 1]
    batch.samples[1].pixels[...] = 5
    assert batch.pixels.tolist() == [0, 5]


def test_arrays_without_elements_are_stacked():
    assert gathered(photos((0, 3), (0, 3))).pixels.shape == (2, 0, 3)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_field_whose_arrays_differ_is_a_list_of_arrays_that_own_their_memory(at):
    samples = photos(*[(2,)] * 5)
    samples[at] = Photo(np.full((3,), at, np.float32), "odd")
    pixels = gathered(samples).pixels
    assert isinstance(pixels, list)
    assert [array.tolist() for array in pixels] == [sample.pixels.tolist() for sample in samples]
    assert all(array.base is None and array.flags.writeable for array in pixels)


def test_arrays_of_other_dtypes_and_as_many_bytes_stay_a_list():
    pixels = gathered([Photo(np.ones(2, "f4"), ""), Photo(np.ones(2, "i4"), "")]).pixels
    assert [array.dtype for array in pixels] == ["f4", "i4"]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_array_keeps_the_field_a_list(missing):
    samples = [Pair(np.full(2, n), np.full(3, n)) for n in range(3)]
    samples[missing] = Pair(np.full(2, missing))
    batch = gathered(samples)
    assert batch.left.shape == (3, 2)
    assert [value is None for value in batch.right] == [row == missing for row in range(3)]


def test_arrays_of_structured_dtype_are_stacked_when_they_are_asked_for():
    arrays = [np.array([(n, 0.5)], dtype=[("a", "i4"), ("b", "f8")]) for n in range(3)]
    batch = gathered([Photo(array, "") for array in arrays])
    assert batch.pixels.dtype == arrays[0].dtype
    assert batch.pixels["a"].tolist() == [[0], [1], [2]]


def npy(array):
    import io  # noqa: PLC0415 -- here alone

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_npy_payloads_are_read_among_others():
    compact = Photo(np.arange(3, dtype="f4"), "a").packed
    foreign = msgpack.packb({"pixels": npy(np.arange(3, 6, dtype="f4")), "label": "b"})
    for payloads in ([compact, foreign], [foreign, compact], [foreign, foreign]):
        gatherer = gatherer_of(Photo, 5)
        for payload in payloads:
            gatherer.add(memoryview(payload))
        assert gatherer.take().pixels.tolist() == [
            layout_of(Photo).decoder_of(Photo)(payload).pixels.tolist() for payload in payloads
        ]


def test_other_fields_are_lists_of_decoded_values():
    inner = Inner(np.arange(3), "inside")
    samples = [
        Rich(dt.datetime(2026, 1, day), decimal.Decimal(f"{day}.50"), uuid.UUID(int=day), inner, [np.ones(day)], ["a"])
        for day in (1, 2)
    ]
    batch = gathered(samples)
    assert batch.moment == [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2)]
    assert batch.price == [decimal.Decimal("1.50"), decimal.Decimal("2.50")]
    assert [each.name for each in batch.inner] == ["inside"] * 2
    assert packed(batch.samples) == packed(samples)


@pytest.mark.parametrize("kind", [Photo, Frozen, Slotted, Finished, DictSample, WithDefault])
def test_samples_are_as_if_each_had_been_decoded_alone(kind):
    samples = [
        DictSample(pixels=b"x", label=f"l{n}") if kind is DictSample else kind(label=f"l{n}", pixels=np.full((2, 2), n))
        for n in range(4)
    ]
    alone = [layout_of(kind).decoder_of(kind)(sample.packed) for sample in samples]
    batch = gathered(samples, kind=kind)
    assert [type(sample) for sample in batch] == [kind] * 4
    assert packed(batch) == packed(alone)
    assert np.array_equal(batch.pixels, SampleBatch(alone).pixels)
    assert batch.label == [f"l{n}" for n in range(4)]
    assert batch.sample_type is kind
    assert (len(batch), repr(batch)) == (4, f"SampleBatch(4 x {kind.__name__})")


def test_what_a_class_makes_of_its_fields_is_in_the_batch():
    batch = gathered([Finished(np.full(2, 8.0), "a"), Finished(np.full(2, 16.0), "b")])
    assert batch.pixels.tolist() == [[2, 2], [4, 4]]  # halved when made, and when read
    assert batch.shape == [(2,), (2,)]


def test_properties_are_columns_too():
    @packable
    class Titled:
        label: str

        @property
        def title(self) -> str:
            return self.label.title()

    assert gathered([Titled("a b"), Titled("c")]).title == ["A B", "C"]


def test_an_attribute_that_a_class_looks_up_by_itself_is_what_it_says():
    @packable
    class Loud:
        label: str

        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            return value.upper() if name == "label" else value

    gatherer = gatherer_of(Loud, 3)
    gatherer.add(msgpack.packb({"label": "abc"}))
    assert gatherer.take().label == ["ABC"]


def test_fields_that_the_payload_lacks_take_their_defaults():
    payloads = [msgpack.packb({"label": "bare"}), WithDefault("full", np.zeros(3, np.float32)).packed]
    for order in (payloads, payloads[::-1]):
        gatherer = gatherer_of(WithDefault, 5)
        for payload in order:
            gatherer.add(memoryview(payload))
        batch = gatherer.take()
        assert {label: array[0] for label, array in zip(batch.label, batch.pixels, strict=True)} == {
            "bare": 1,
            "full": 0,
        }


def test_a_default_is_taken_as_it_is():
    @packable
    class Nested:
        label: str
        inner: Inner = dataclasses.field(default_factory=lambda: Inner(np.ones(1), "default"))

    gatherer = gatherer_of(Nested, 3)
    gatherer.add(msgpack.packb({"label": "a"}))
    assert gatherer.take().inner[0].name == "default"


class Upper:
    """An attribute that is kept elsewhere."""

    def __get__(self, sample: Any, kind: type) -> str:
        return "" if sample is None else vars(sample).get("label", "").upper()

    def __set__(self, sample: Any, value: str) -> None:
        vars(sample)["label"] = value


def test_an_attribute_with_a_descriptor_is_what_that_says():
    @packable
    class Descriptive:
        label: str = Upper()

    gatherer = gatherer_of(Descriptive, 3)
    gatherer.add(msgpack.packb({"label": "abc"}))
    assert gatherer.take().label == ["ABC"]


def test_each_sample_gets_a_default_of_its_own():
    gatherer = gatherer_of(Rich, 5)
    given_ = Rich(dt.datetime(2026, 1, 1), decimal.Decimal(1), uuid.UUID(int=1), Inner(np.ones(1), ""), [])
    fields = {name: value for name, value in msgpack.unpackb(given_.packed).items() if name != "tags"}
    for _ in range(2):
        gatherer.add(msgpack.packb(fields))
    first, second = gatherer.take().tags
    assert first == second == ["none"]
    assert first is not second


def test_a_type_without_fields_has_as_many_samples():
    batch = gathered([Nothing(), Nothing(), Nothing()])
    assert (len(batch), len(batch.samples), batch[0]) == (3, 3, Nothing())


def test_an_unknown_field_is_an_error_with_near_misses():
    with pytest.raises(AttributeError, match=r"Photo has no field 'lable' \(did you mean 'label'\?\).*'pixels'"):
        gathered(photos((1,))).lable  # noqa: B018 -- raises


@law(100)
@given(st.lists(st.tuples(st.sampled_from([(2,), (3,), (2, 1), ()]), st.sampled_from(["u1", "f4"])), min_size=1))
def test_a_field_is_stacked_just_when_it_is_in_a_batch_of_samples(forms):
    samples = [Photo(np.full(shape, row, dtype), "") for row, (shape, dtype) in enumerate(forms)]
    batch, alone = gathered(samples), SampleBatch(samples)
    assert type(batch.pixels) is type(alone.pixels)
    assert [array.tolist() for array in batch.pixels] == [array.tolist() for array in alone.pixels]
    assert packed(batch) == packed(alone)


def test_a_batch_that_outgrows_its_first_room_is_whole(monkeypatch):
    monkeypatch.setattr("atdata._sample._batch._FIRST_ROOM", 3 * 8)
    batch = gathered(photos(*[(2,)] * 20))
    assert batch.pixels[:, 0].tolist() == list(range(20))
    assert len(batch.samples) == 20


def test_room_is_made_for_what_may_come_not_for_what_is_asked_for():
    gatherer = gatherer_of(Photo, 10**12)
    gatherer.add(Photo(np.zeros((100, 100)), "").packed)
    assert gatherer.take().pixels.base.nbytes <= 1 << 28


def test_an_array_of_as_many_dimensions_as_there_can_be_is_read():
    samples = [Photo(np.zeros((1,) * 64), ""), Photo(np.zeros((1,) * 64), "")]
    assert [sample.pixels.ndim for sample in gathered(samples).samples] == [64, 64]


def test_one_gatherer_makes_batch_after_batch():
    gatherer = gatherer_of(Photo, 2)
    batches = []
    for sample in photos((2,), (2,), (3,), (3,), (2,), (3,)):
        gatherer.add(sample.packed)
        if gatherer.count == 2:
            batches.append(gatherer.take())
    assert [np.shape(batch.pixels) if isinstance(batch.pixels, np.ndarray) else "list" for batch in batches] == [
        (2, 2),
        (2, 3),
        "list",
    ]
    assert [batch.label for batch in batches] == [
        ["photo 0", "photo 1"],
        ["photo 2", "photo 3"],
        ["photo 4", "photo 5"],
    ]


# -- what cannot be decoded


def bad(**fields):
    good = {"pixels": b"\x03<f4\x01" + (1).to_bytes(8, "little") + bytes(4), "label": "a"}
    return msgpack.packb(good | fields)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"\xc1", "malformed"),
        (bad(label=7), "label"),
        (bad(pixels=b""), "field 'pixels': an array of no bytes"),
        (bad(pixels=b"\x03<f4\x01" + (9).to_bytes(8, "little") + bytes(4)), "claims shape .9,. of float32 .36 bytes"),
        (bad(pixels=b"\x03<f4\x01" + (1).to_bytes(8, "little") + bytes(5)), "5 bytes follow it"),
        (bad(pixels=b"\x93NUMPY"), "begin like an .npy file and are none"),
        (bad(pixels=b"\x02|O\x00" + bytes(8)), "no plain dtype"),
        (bad(pixels=None), "pixels"),
    ],
    ids=["no msgpack", "type", "empty", "giant", "long", "npy", "object", "null"],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_payload_is_refused_as_it_is_alone(payload, problem, before):
    gatherer = gatherer_of(Photo, 10)
    for _ in range(before):
        gatherer.add(bad())
    with pytest.raises(DecodeError, match=f"the payload is no Photo.*{problem}") as caught:
        gatherer.add(payload)
    with pytest.raises(DecodeError) as alone:
        Photo.from_bytes(payload)
    assert str(caught.value) == str(alone.value)


# -- crossing processes


@pytest.mark.parametrize("made", [False, True], ids=["fields", "samples"])
def test_a_batch_pickles(made):
    batch = gathered(photos((2,), (2,)))
    if made:
        batch.samples[0].label = "changed"
    again = pickle.loads(pickle.dumps(batch))
    assert again.sample_type is Photo
    assert again.pixels.tolist() == [[0, 0], [1, 1]]
    assert again.label == batch.label
    assert packed(again) == packed(batch)


def test_a_batch_pickles_no_more_than_it_holds():
    batch = gathered(photos(*[(100,)] * 10), size=500)
    assert len(pickle.dumps(batch)) < 10 * 100 * 4 + 2000
    assert batch.samples
    assert len(pickle.dumps(batch)) < 10 * (100 * 4 + 300) + 2000


def test_what_was_changed_in_a_stack_crosses():
    batch = gathered(photos((2,), (2,)))
    batch.pixels[:] = 5
    assert pickle.loads(pickle.dumps(batch)).pixels.tolist() == [[5, 5], [5, 5]]


# -- what is asked for first does not matter


def test_a_sample_whose_array_was_exchanged_is_what_the_batch_holds():
    batch = gathered(photos((2,), (2,)))
    batch.samples[1].pixels = np.full(2, 9, np.float32)
    assert batch.pixels.tolist() == [[0, 0], [9, 9]]


def test_a_sample_that_was_changed_is_what_the_batch_holds():
    batch = gathered(photos((2,), (2,)))
    batch.samples[1].label = "changed"
    assert batch.label == ["photo 0", "changed"]


def test_a_list_that_was_handed_out_is_the_callers():
    batch = gathered(photos((2,), (2,)))
    batch.label.clear()
    assert [sample.label for sample in batch.samples] == ["photo 0", "photo 1"]
