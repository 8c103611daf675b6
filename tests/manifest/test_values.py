"""What one sample gives to its manifest: fields, computed columns, images."""

import datetime as dt
import enum
import io
import json
import pathlib
import pickle
import types
import uuid
from decimal import Decimal
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pytest

import atdata
from atdata._manifest._columns import Unreadable, value_reader
from atdata.manifest import (
    ManifestBuilder,
    ManifestField,
    ManifestWriter,
    QueryExecutor,
    ShardManifest,
    manifest_column,
    resolve_manifest_fields,
)
from tests.extras import needs

UTC = pl.Datetime("us", "UTC")


class Colour(enum.Enum):
    RED = "red"


def image(size, mode, kind, **options):
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def png(size=(3, 2), mode="RGB"):
    return image(size, mode, "PNG")


@atdata.packable
class Wide:
    day: dt.date
    clock: dt.time
    naive: dt.datetime
    moment: Annotated[dt.datetime, UTC]
    took: dt.timedelta
    price: Annotated[Decimal, pl.Decimal(12, 2)] | None
    colour: Colour
    kind: Literal["a", "b"]
    level: Literal[1, 2]
    small: Annotated[int, pl.Int8]
    days: list[dt.date]
    colours: list[Colour]
    ident: Annotated[uuid.UUID, ManifestField("categorical")]
    path: Annotated[pathlib.Path, ManifestField("categorical")]


def wide(**changes):
    values = {
        "day": dt.date(2026, 1, 2),
        "clock": dt.time(3, 4),
        "naive": dt.datetime(2026, 1, 2, 3),
        "moment": dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "took": dt.timedelta(seconds=1.5),
        "price": Decimal("9.5"),
        "colour": Colour.RED,
        "kind": "b",
        "level": 2,
        "small": -5,
        "days": [dt.date(2026, 1, 2)],
        "colours": [Colour.RED],
        "ident": uuid.UUID(int=7),
        "path": pathlib.Path("a/b"),
    }
    return Wide(**values | changes)


def test_every_type_comes_back_from_the_table_as_its_columns_value(manifest_of):
    row = manifest_of([wide()]).frame.select(pl.all().exclude("^__.*$")).row(0, named=True)
    assert row == {
        "day": dt.date(2026, 1, 2),
        "clock": dt.time(3, 4),
        "naive": dt.datetime(2026, 1, 2, 3),
        "moment": dt.datetime(2026, 1, 2, 1, tzinfo=dt.UTC),
        "took": dt.timedelta(seconds=1.5),
        "price": Decimal("9.50"),
        "colour": "red",
        "kind": "b",
        "level": 2,
        "small": -5,
        "days": [dt.date(2026, 1, 2)],
        "colours": ["red"],
        "ident": str(uuid.UUID(int=7)),
        "path": "a/b",
    }


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        (
            {"naive": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)},
            "naive",
            r'Annotated\[datetime, pl\.Datetime\("us", "UTC"\)\]',
        ),
        ({"moment": dt.datetime(2026, 1, 2)}, "moment", "a datetime with a zone"),
        ({"moment": dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))}, "moment", "years 1 to 9999"),
        ({"clock": dt.time(1, tzinfo=dt.UTC)}, "clock", "a time without a zone"),
        ({"price": Decimal("1.234")}, "price", "2 after it"),
        ({"colour": "red"}, "colour", "expected a Colour"),
        ({"level": True}, "level", "expected one of 1, 2"),
        ({"small": 200}, "small", "fits a column of Int8"),
        ({"days": [dt.date(2026, 1, 2), dt.datetime(2026, 1, 2)]}, "days[1]", "expected a date, found datetime"),
        ({"days": dt.date(2026, 1, 2)}, "days", "expected a list"),
        ({"ident": "x"}, "ident", "expected a UUID"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_does_not_fit_is_refused_at_its_sample_by_field(changes, field, problem):
    with pytest.raises(atdata.SampleValueError, match=problem) as caught:
        value_reader(Wide)(wide(**changes))
    assert caught.value.field == field


def test_a_published_manifest_of_every_type_is_read_and_answers(manifest_of, tmp_path):
    samples = [wide(), wide(day=dt.date(2027, 1, 1), price=None, took=dt.timedelta(0)), wide(price=Decimal("0.01"))]
    manifest = manifest_of(samples)
    paths = ManifestWriter(tmp_path / "shard-000000").write(manifest)
    again = ShardManifest.from_files(*paths)
    assert again.frame.equals(manifest.frame)
    assert again.aggregates == manifest.aggregates
    assert again.aggregates["price"] | {"mean": 0} == {
        "type": "numeric", "min": "0.01", "max": "9.50", "mean": 0, "count": 2, "null_count": 1,
    }  # fmt: skip
    wanted = (pl.col("day") == dt.date(2026, 1, 2)) & (pl.col("price") < Decimal("1.00"))
    assert [each.key for each in QueryExecutor([again]).query(wanted)] == ["k000002"]


def test_the_header_names_the_dtypes_in_the_documented_text(manifest_of, tmp_path):
    header, _ = ManifestWriter(tmp_path / "s").write(manifest_of([wide()]))
    columns = json.loads(header.read_text())["samples"]["columns"]
    named = ("day", "clock", "naive", "moment", "took", "price", "small", "days")
    assert [columns[name] for name in named] == [
        "Date",
        "Time",
        "Datetime(us)",
        "Datetime(us, UTC)",
        "Duration(us)",
        "Decimal(12, 2)",
        "Int8",
        "List(Date)",
    ]


@atdata.packable
class Plain:
    label: str
    score: float
    count: int
    tags: list[str]


@pytest.mark.parametrize(
    ("sample", "values"),
    [
        (Plain("a", 0.5, 1, ["x"]), ["a", 0.5, 1, ["x"]]),
        (Plain(np.str_("a"), 1, np.int8(1), ("x",)), ["a", 1.0, 1, ("x",)]),
        (Plain(None, None, None, None), [None, None, None, None]),
    ],
)
def test_plain_values_are_coerced_and_absent_ones_stay_absent(sample, values):
    read = value_reader(Plain)(sample)
    assert read == values
    assert list(map(type, read)) == list(map(type, values))


@pytest.mark.parametrize("count", [2**63, -(2**63) - 1, True, 0.5, "1"])
@pytest.mark.parametrize("label", ["a", None], ids=["all exact", "one absent"])
def test_an_integer_beyond_its_column_is_refused_at_its_sample(label, count):
    with pytest.raises(atdata.SampleValueError, match="field 'count'"):
        value_reader(Plain)(Plain(label, 0.5, count, []))


@pytest.mark.parametrize("tags", ["ab", {"a"}, {"a": 1}, 3, np.array(["a"])], ids=lambda bad: type(bad).__name__)
def test_what_is_no_list_is_refused_at_its_sample(tags):
    with pytest.raises(atdata.SampleValueError, match="field 'tags': expected a list"):
        value_reader(Plain)(Plain("a", 0.5, 1, tags))


def test_a_sample_without_the_field_is_refused_by_name():
    with pytest.raises(atdata.SampleValueError, match="field 'score': a SimpleNamespace has no such field"):
        value_reader(Plain)(types.SimpleNamespace(label="a", count=1, tags=[]))


def test_a_reader_is_made_once_and_pickles():
    reader = value_reader(Plain)
    assert value_reader(Plain) is reader
    assert pickle.loads(pickle.dumps(reader)) is reader


@atdata.packable
class Box:
    width: int
    height: int

    @manifest_column("numeric")
    def area(self) -> int:
        return self.width * self.height

    @manifest_column("categorical")
    def shape(self) -> Literal["wide", "tall"] | None:
        return None if self.width == self.height else "wide" if self.width > self.height else "tall"

    @manifest_column("set")
    def sides(self) -> "list[Annotated[int, pl.Int16]]":
        return [self.width, self.height]


def test_computed_columns_come_after_the_fields_with_the_dtype_of_their_return(manifest_of):
    manifest = manifest_of([Box(2, 3), Box(4, 4)])
    found = manifest.frame.select(pl.all().exclude("^__.*$"))
    assert list(found.schema.items()) == [
        ("width", pl.Int64()),
        ("height", pl.Int64()),
        ("area", pl.Int64()),
        ("shape", pl.String()),
        ("sides", pl.List(pl.Int16())),
    ]
    assert found.rows() == [(2, 3, 6, "tall", [2, 3]), (4, 4, 16, None, [4, 4])]
    assert {name: each["type"] for name, each in manifest.aggregates.items()}["sides"] == "set"


def test_a_computed_column_is_no_part_of_the_payload_and_stays_a_method():
    assert Box.from_bytes(Box(2, 3).packed).area() == 6
    assert atdata.DictSample.from_bytes(Box(2, 3).packed).keys() == ["width", "height"]


def test_inherited_computed_columns_come_first_and_an_override_without_the_decorator_ends_one():
    @atdata.packable
    class Crate(Box):
        depth: int = 1

        @manifest_column("numeric")
        def volume(self) -> float:
            return self.area() * self.depth

        @manifest_column("numeric")
        def area(self) -> float:
            return 0.5

        def shape(self):
            return "crate"

    assert list(resolve_manifest_fields(Crate)) == ["width", "height", "depth", "area", "sides", "volume"]
    assert value_reader(Crate)(Crate(2, 3)) == [2, 3, 1, 0.5, [2, 3], 0.5]
    assert "volume" not in resolve_manifest_fields(Box)


def test_the_annotations_of_a_method_are_resolved_where_its_class_is_defined():
    kind = Literal["x"]

    @atdata.packable
    class Base:
        a: int

        @manifest_column("categorical")
        def kind(self) -> "kind":
            return "x"

    @atdata.packable
    class Derived(Base):
        b: int = 0

    assert value_reader(Derived)(Derived(1)) == [1, 0, "x"]
    assert kind is not None


class Wrong(Exception):  # noqa: N818 -- an error of nobody's tree
    pass


@pytest.mark.parametrize("error", [ZeroDivisionError("division"), Wrong("odd"), atdata.SampleValueError("inner")])
def test_a_method_that_raises_is_named_with_what_it_raised(error):
    @atdata.packable
    class Photo:
        n: int

        @manifest_column("numeric")
        def area(self) -> float:
            raise error

    with pytest.raises(atdata.SampleValueError, match=rf"Photo\.area\(\) raised {type(error).__name__}: ") as caught:
        value_reader(Photo)(Photo(1))
    assert caught.value.field == "area"
    assert caught.value.__cause__ is error
    assert str(caught.value.at(7)).startswith("sample 7, field 'area': ")


def test_an_interrupt_inside_a_method_stays_one():
    @atdata.packable
    class Photo:
        n: int

        @manifest_column("numeric")
        def area(self) -> float:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value_reader(Photo)(Photo(1))


@pytest.mark.parametrize("value", ["1", True, 0.5, None])
def test_a_result_of_another_type_is_refused_as_a_fields_would_be(value):
    @atdata.packable
    class Photo:
        n: int

        @manifest_column("numeric")
        def area(self) -> int:
            return value

    with pytest.raises(atdata.SampleValueError, match="field 'area': expected int, found"):
        value_reader(Photo)(Photo(1))


def test_an_element_of_another_type_is_refused_at_once():
    @atdata.packable
    class Photo:
        n: int

        @manifest_column("set")
        def tags(self) -> list[str]:
            return ["a", 3]

    with pytest.raises(atdata.SampleValueError, match=r"field 'tags\[1\]': expected str, found int 3"):
        value_reader(Photo)(Photo(1))


def test_a_method_that_does_not_say_what_it_returns_is_refused_when_the_columns_are_wanted():
    @atdata.packable
    class Photo:
        n: int

        @manifest_column("numeric")
        def area(self):
            return 1

    with pytest.raises(atdata.SchemaError, match=r"Photo\.area\(\) has no return annotation"):
        resolve_manifest_fields(Photo)


@pytest.mark.parametrize(("returned", "aggregate"), [(str, "numeric"), (None, "categorical"), (dict, "set")], ids=str)
def test_a_method_whose_result_makes_no_such_column_is_refused(returned, aggregate):
    @atdata.packable
    class Photo:
        n: int

        @manifest_column(aggregate)
        def area(self) -> returned:
            return 1

    with pytest.raises(atdata.SchemaError, match=r"Photo\.area\(\): .* makes no "):
        resolve_manifest_fields(Photo)


@pytest.mark.parametrize("wrong", [property(id), classmethod(id), 3], ids=lambda w: type(w).__name__)
def test_what_is_no_method_is_not_decorated(wrong):
    with pytest.raises(atdata.SchemaError, match="expected a method, found"):
        manifest_column("numeric")(wrong)


def test_an_unknown_aggregate_is_refused_when_the_class_is_made():
    with pytest.raises(atdata.SchemaError, match="unknown aggregate 'mean'"):
        manifest_column("mean")


@atdata.packable
class Photo:
    label: str
    image: Annotated[bytes, atdata.ImageField()]
    thumb: Annotated[bytes | None, atdata.ImageField("numpy")] = None
    secret: Annotated[bytes, atdata.ImageField(), ManifestField("categorical", exclude=True)] = b""


def test_an_image_has_columns_of_its_size_and_mode_in_its_place(manifest_of):
    manifest = manifest_of([Photo("a", png((7, 5)), png((1, 1), "L")), Photo("b", png((3, 2), "RGBA"))])
    found = manifest.frame.select(pl.all().exclude("^__.*$"))
    assert {name: field.aggregate for name, field in resolve_manifest_fields(Photo).items()} == {
        "label": "categorical",
        "image_width": "numeric",
        "image_height": "numeric",
        "image_mode": "categorical",
        "thumb_width": "numeric",
        "thumb_height": "numeric",
        "thumb_mode": "categorical",
    }
    assert found.rows() == [("a", 7, 5, "RGB", 1, 1, "L"), ("b", 3, 2, "RGBA", None, None, None)]


def test_images_that_cannot_be_read_are_null_and_one_warning_names_shard_field_number_and_first():
    builder = ManifestBuilder(Photo, "photos-000003")
    for row, data in enumerate([png(), b"junk", b"", png()]):
        builder.add_sample(key=f"k{row}", offset=0, size=512, sample=Photo("a", data))
    expected = "shard 'photos-000003' .*2 of field 'image', the first in sample 'k1'"
    with pytest.warns(atdata.UnreadableImageWarning, match=expected) as caught:
        manifest = builder.build()
    assert len(caught) == 1
    assert manifest.frame["image_width"].to_list() == [3, None, None, 3]
    assert manifest.frame["image_mode"].to_list() == ["RGB", None, None, "RGB"]
    assert manifest.aggregates["image_width"]["null_count"] == 2


@needs("PIL")
def test_the_values_of_an_image_that_cannot_be_read_pickle():
    values = pickle.loads(pickle.dumps(value_reader(Photo)(Photo("a", b"junk"))))
    assert values == ["a", *[Unreadable.IMAGE] * 3, None, None, None]
    assert values[1] is Unreadable.IMAGE


def test_a_decoded_image_has_no_size_because_it_is_never_written():
    with pytest.raises(atdata.SampleValueError, match="(?s)field 'image': expected the bytes of .*not encoded again"):
        value_reader(Photo)(Photo("a", np.zeros((2, 3, 3), np.uint8)))


def test_a_field_named_like_a_column_of_an_image_is_refused():
    @atdata.packable
    class Clash:
        image: Annotated[bytes, atdata.ImageField()]
        image_width: Annotated[int, ManifestField("numeric", exclude=True)]

    with pytest.raises(atdata.SchemaError, match=r"Clash: the column 'image_width' of the image 'image'.* field"):
        resolve_manifest_fields(Clash)


def test_a_method_named_like_a_column_of_an_image_is_refused():
    @atdata.packable
    class Clash:
        image: Annotated[bytes, atdata.ImageField()]

        @manifest_column("categorical")
        def image_mode(self) -> str:
            return "RGB"

    with pytest.raises(atdata.SchemaError, match="Clash: the column 'image_mode' of the method"):
        resolve_manifest_fields(Clash)


def test_an_image_that_is_asked_to_be_a_column_is_refused():
    @atdata.packable
    class Photo:
        image: Annotated[bytes, atdata.ImageField(), ManifestField("categorical")]

    with pytest.raises(atdata.SchemaError, match=r"Photo\.image: an image's columns are its width, height and mode"):
        resolve_manifest_fields(Photo)


# Cells and payloads say the same


@pytest.mark.parametrize("value", [0.1, 65519.9, 1e-9, -0.0, float("inf")])
def test_a_float16_is_in_its_column_what_it_is_in_its_sample(tmp_path, value):
    @atdata.packable
    class Half:
        one: np.float16
        many: list[np.float16]

    ds = atdata.write_samples([Half(value, [value])], tmp_path / "h.tar", manifest=True)
    (sample,) = ds
    assert ds.scan().select("one", "many").collect().row(0) == (float(sample.one), [float(sample.many[0])])


def test_what_rounds_to_the_largest_float32_is_that_in_its_column(tmp_path):
    @atdata.packable
    class Depth:
        metres: np.float32

    ds = atdata.write_samples([Depth(3.4028235e38)], tmp_path / "d.tar", manifest=True)
    assert ds.scan().collect()["metres"].to_list() == [float(np.finfo(np.float32).max)]


@pytest.mark.parametrize("zero", ["0E+50", "-0E+999999", "0"])
def test_a_zero_of_any_exponent_is_zero_in_its_column(tmp_path, zero):
    @atdata.packable
    class Price:
        price: Annotated[Decimal, pl.Decimal(12, 2)]

    ds = atdata.write_samples([Price(Decimal(zero))], tmp_path / "p.tar", manifest=True)
    assert ds.scan().collect()["price"].to_list() == [Decimal("0.00")]
    assert str(next(iter(ds)).price) == zero


def test_a_webp_that_claims_too_many_pixels_is_stored_without_a_size(tmp_path):
    @atdata.packable
    class Picture:
        image: Annotated[bytes, atdata.ImageField()]

    data = bytearray(image((4, 4), "RGBA", "WEBP", exif=b"Exif\0\0"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\xff\0" * 2  # 65,536 pixels wide, and as high
    with pytest.warns(atdata.UnreadableImageWarning, match="1 of field 'image'"):
        ds = atdata.write_samples([Picture(bytes(data))], tmp_path / "p.tar", manifest=True)
    assert ds.scan().select("image_width", "image_mode").collect().row(0) == (None, None)

    @atdata.packable
    class Decoded:
        image: Annotated[bytes, atdata.ImageField("numpy")]

    with pytest.raises(atdata.DecodeError, match="field 'image': the image cannot be decoded: .*pixels"):
        Decoded.from_bytes(next(iter(ds)).packed)
