"""Codes of lists: conditions asked of codes find what they find in lists; columns without codes are asked as before."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import selectors

from atdata._index import CODE
from atdata._index import _statistics as _codes
from atdata._index._format import PartFacts
from atdata._index._index import find
from atdata._index._plan import Limits
from atdata._index._statistics import CodeBook, decode_codes, encode_codes, few_values, with_codes
from atdata._query._scans import by_codes
from atdata.manifest import QueryExecutor
from tests.tiers import law

LISTS = [[], None, ["a"], ["a", "b"], ["b", "a"], [None], ["a", None], ["é", ""], ["a" * 100]]
TAGS = pl.List(pl.String())
QUESTIONS = {
    "element": pl.col("tags").list.contains("a"),
    "no element": ~pl.col("tags").list.contains("a"),
    "a null element": pl.col("tags").list.contains(None),
    "null": pl.col("tags").is_null(),
    "length": pl.col("tags").list.len() > 1,
    "order": pl.col("tags").list.first() == "a",
    "all": pl.col("tags").list.len() >= 0,
    "none": pl.col("tags").list.contains("nobody"),
    "joined": pl.col("tags").list.contains("a") & (pl.col("score") > 3) & (pl.col("tags").list.len() == 2),
    "either": pl.col("tags").list.contains("é") | (pl.col("score") < 3),
    "beyond the end": pl.col("tags").list.get(1, null_on_oob=True) == "b",
    "text": "array_contains(tags, 'b') AND score > 2",
}


def is_ascending(given):
    return given is not None and len(given) > 1 and given[0] < given[1]


def fill(folder, shards=6, lists=LISTS, rows=18):
    for shard in range(shards):
        numbers = range(shard * rows, shard * rows + rows)
        columns = {
            "label": ["dog"] * rows,
            "score": [float(number) for number in numbers],
            "tags": [lists[number % len(lists)] for number in numbers],
        }
        folder.write(f"s-{shard:03d}", columns, first=shard * rows)


@pytest.fixture
def small(monkeypatch):
    """Parts of few rows have codes."""
    monkeypatch.setattr(_codes, "_REPEATED", 2)


def executors(folder):
    """Return one that the index answers for, and one that is answered from sidecars."""
    return [QueryExecutor.from_directory(folder.store.root, index=index) for index in ("auto", "never")]


def coded(executor):
    return executor._source.index.codes.keys()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_those_of_the_lists(folder, name):
    fill(folder)
    folder.compact(limits=Limits(rows=40))
    indexed, plain = executors(folder)
    assert coded(indexed) == {"tags"}
    question = QUESTIONS[name]
    assert indexed.rows(question).equals(plain.rows(question))
    assert indexed.count(question) == plain.count(question)


def test_lists_are_not_read(folder):
    fill(folder)
    folder.compact()
    index = folder.open()
    conditions, used = by_codes(QUESTIONS["joined"], index.codes, index.columns)
    assert used == {CODE + "tags": pl.UInt32()}
    assert {name for each in conditions for name in each.meta.root_names()} == {CODE + "tags", "score"}
    plan = executors(folder)[0]._source.rows.where(None, QUESTIONS["joined"]).select("__key__").explain()
    assert f'col("{CODE}tags").is_in' in plan
    assert 'col("tags")' not in plan


@pytest.mark.parametrize(
    "question",
    [
        pl.col("tags").list.get(1) == "b",  # fails on what is shorter
        pl.col("tags").list.contains(pl.col("label")),
        pl.col("tags").list.sample(1).list.contains("a"),
        pl.col("tags").list.eval(pl.element().shuffle(seed=1)).list.first() == "a",
        pl.col("tags").map_elements(is_ascending, pl.Boolean),
        pl.all_horizontal(pl.all().is_not_null()),
        pl.all_horizontal(selectors.integer() > 3) & pl.col("tags").list.contains("a"),
        pl.col("score") > 3,
    ],
    ids=["fails", "of two columns", "samples", "shuffles", "Python", "all columns", "a selector", "no list"],
)
def test_what_lists_alone_do_not_decide_is_asked_of_rows(folder, question):
    fill(folder)
    folder.compact()
    index = folder.open()
    conditions, used = by_codes(question, index.codes, index.columns)
    assert used == {}
    assert [str(each) for each in conditions] == [str(question)]


@pytest.mark.parametrize(
    "question",
    [
        pl.all_horizontal(pl.all().is_not_null()),
        pl.all_horizontal(selectors.integer() < 1 << 20) & pl.col("tags").list.contains("a"),
    ],
    ids=["all", "by dtype"],
)
def test_columns_of_codes_are_no_columns_of_a_selector(folder, question):
    fill(folder)
    folder.compact()
    indexed, plain = executors(folder)
    assert coded(indexed) == {"tags"}
    assert plain.count(question) > 0
    assert indexed.rows(question).equals(plain.rows(question))


@law(100)
@given(st.lists(st.sampled_from(LISTS)), st.sampled_from([each for each in QUESTIONS if each != "text"]))
def test_a_condition_on_codes_is_one_on_lists(lists, name):
    question = QUESTIONS[name]
    rows = pl.DataFrame({"tags": pl.Series(lists * 9, dtype=TAGS)}).with_columns(score=pl.int_range(pl.len()))
    both, codes = with_codes(rows)
    if "tags" in codes:
        conditions, used = by_codes(question, codes, rows.schema)
        assert used.keys() <= {CODE + "tags"}
        assert both.filter(*conditions).select("score").equals(rows.filter(question).select("score"))
        assert both.drop(CODE + "tags").equals(rows)


@pytest.mark.parametrize("seldom", [False, True])
def test_lists_that_are_too_many_have_no_codes(folder, monkeypatch, seldom):
    monkeypatch.setattr(_codes, *(("_REPEATED", 20) if seldom else ("_MOST", 8)))
    fill(folder)
    folder.compact()
    indexed, plain = executors(folder)
    assert coded(indexed) == set()
    assert not [name for name in pl.read_parquet_schema(folder.store.path(folder.open().parts[0].name)) if CODE in name]
    for question in QUESTIONS.values():
        assert indexed.rows(question).equals(plain.rows(question))


@pytest.mark.usefixtures("small")
def test_lists_that_are_too_many_in_all_have_none(folder, monkeypatch):
    monkeypatch.setattr(_codes, "_MOST", 12)
    fill(folder)
    folder.compact(limits=Limits(rows=40))
    assert coded(executors(folder)[0]) == {"tags"}
    for shard in range(6, 12):
        folder.write(
            f"s-{shard:03d}",
            {"label": ["cat"] * 40, "score": [1.0] * 40, "tags": [[f"new {row % 5}"] for row in range(40)]},
            first=shard * 100,
        )
    for _ in range(2):  # what is known of the parts that stay is not taken for all by a later run
        done = folder.compact(limits=Limits(rows=40))
        assert done.parts_kept
        indexed, plain = executors(folder)
        assert coded(indexed) == set()
        for question in [*QUESTIONS.values(), pl.col("tags").list.contains("new 3")]:
            assert indexed.rows(question).equals(plain.rows(question))
        fill(folder, 1)  # one more run, with something to do


@pytest.mark.usefixtures("small")
def test_new_shards_bring_new_lists(folder):
    fill(folder, 4)
    folder.compact(limits=Limits(rows=40))
    folder.write(
        "s-9", {"label": ["cat"] * 40, "score": [1.0] * 40, "tags": [["z"] if row % 2 else ["a"] for row in range(40)]}
    )
    stale = executors(folder)
    done = folder.compact(limits=Limits(rows=40))
    assert (done.parts_kept, done.parts_written) == (2, 1)
    for indexed, plain in (stale, executors(folder)):
        assert coded(indexed) == {"tags"}
        for question in [*QUESTIONS.values(), pl.col("tags").list.contains("z")]:
            assert indexed.rows(question).equals(plain.rows(question))
    text = find(folder.store).tables[0].facts.codes["tags"]
    assert folder.compact(limits=Limits(rows=40)).parts_written == 0
    assert find(folder.store).tables[0].facts.codes["tags"] == text


def test_a_part_without_codes_makes_all_be_asked_of_lists(folder, monkeypatch):
    monkeypatch.setattr(_codes, "_REPEATED", 10**6)
    fill(folder, 4)
    folder.compact(limits=Limits(rows=40))
    monkeypatch.setattr(_codes, "_REPEATED", 2)
    fill(folder, 8)
    folder.compact(limits=Limits(rows=40))
    indexed, plain = executors(folder)
    assert sorted(bool(part.codes) for part in indexed._source.index.parts)[::3] == [False, True]
    assert coded(indexed) == set()
    for question in QUESTIONS.values():
        assert indexed.rows(question).equals(plain.rows(question))


def test_shards_of_other_columns_are_asked_as_they_are(folder):
    fill(folder, 2)
    folder.write("s-9", {"label": ["dog"] * 20, "score": [1.0] * 20})
    folder.compact()
    indexed, plain = executors(folder)
    for question in QUESTIONS.values():
        assert indexed.rows(question).equals(plain.rows(question))


def test_a_column_of_that_name_stays_what_it_is(folder):
    name = CODE + "tags"
    folder.write(
        "s",
        {"tags": [["a"], ["b"]] * 10, name: [1.0, 2.0] * 10},
        kinds={"tags": "set", name: "numeric"},
        dtypes={"tags": TAGS, name: pl.Float64()},
    )
    folder.compact()
    indexed, plain = executors(folder)
    assert coded(indexed) == set()
    assert indexed.rows(pl.col("tags").list.contains("a")).equals(plain.rows(pl.col("tags").list.contains("a")))


@pytest.mark.parametrize("dtype", [pl.List(pl.Float64()), pl.List(pl.Date()), pl.String()], ids=str)
def test_other_columns_have_none(dtype):
    assert with_codes(pl.DataFrame({"x": pl.Series([None] * 20, dtype=dtype)}))[1] == {}


def test_values_that_come_after_the_first_rows_are_found(monkeypatch):
    monkeypatch.setattr(_codes, "_TRIED", 16)
    column = pl.Series("x", [["a"]] * 16 + [["b"], None] * 8)
    few = few_values(column, 3)
    assert few.values.to_list() == [["a"], ["b"], None]
    assert few.values.gather(few.places).equals(column, null_equal=True)
    assert few_values(column, 2) is None


def part(codes):
    return PartFacts("part-" + "0" * 32 + ".parquet", 1, 1, "0" * 64, 0, "", {}, codes)


def table(*both):
    return pl.DataFrame(both, {"code": pl.UInt32(), "value": TAGS}, orient="row")


def test_two_lists_of_one_code_leave_the_field_out():
    book = CodeBook({})
    book.add({"tags": table((7, ["a"]))})
    book.add({"sizes": table((7, ["a"]))})
    book.add({"tags": table((7, ["b"]))})
    book.add({"tags": table((8, ["c"]))})
    parts, codes = book.settled([part(["tags", "sizes"])])
    assert [each.codes for each in parts] == [["sizes"]]
    assert codes.keys() == {"sizes"}
    assert decode_codes(codes["sizes"]).equals(table((7, ["a"])))


def test_lists_of_other_elements_leave_the_field_out():
    book = CodeBook({"tags": table((7, ["a"]))})
    book.keep(part(["tags"]))
    numbers = pl.DataFrame({"code": [1], "value": [[1]]}, {"code": pl.UInt32(), "value": pl.List(pl.Int64())})
    book.add({"tags": numbers})
    assert book.settled([part(["tags"])])[1] == {}


def test_codes_come_back_from_text():
    codes = table(*enumerate(LISTS))
    assert decode_codes(encode_codes(codes)).equals(codes)
