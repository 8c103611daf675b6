"""What is measured by default, in part, and at the largest size."""

from benchmarks._cases import LARGE, Choice, cases
from benchmarks._catalogue import DATA_KINDS, JOBS, QUESTIONS
from benchmarks._run import Sizes


def names(job, choice=None):
    return [each.name for each in cases(job, Sizes(), choice or Choice())]


def test_every_job_has_a_case_and_none_is_of_the_largest_size():
    everything = {job: names(job) for job in JOBS}
    assert all(everything.values())
    assert not [name for found in everything.values() for name in found if LARGE in name or "100000" in name]


def test_questions_are_asked_of_each_size_and_kind_and_lists_of_the_smallest():
    asked = set(names("query"))
    assert {f"query/{size}/{kind}/key" for size in ("1m", "10m", "10m-small-shards") for kind in DATA_KINDS} <= asked
    assert {name for name in asked if name.endswith("/list")} == {f"query/1m/{kind}/list" for kind in DATA_KINDS}
    assert len(asked) == 3 * 2 * (len(QUESTIONS) - 1) + 2


def test_a_part_is_what_was_chosen():
    choice = Choice(sizes=("10m",), kinds=("clustered",), questions=("key", "list"))
    assert names("query", choice) == ["query/10m/clustered/key"]
    assert names("index", choice) == ["index/10m/clustered"]
    assert names("open", choice) == []


def test_growth_is_measured_between_two_numbers_of_shards():
    sizes = {name.split("/")[1] for name in names("growth", Choice(growth=(10_001, 100_000)))}
    assert sizes == {"100000"}
    assert {each.samples // each.shards for each in cases("growth", Sizes(), Choice())} == {1000}


def test_growth_uses_the_rows_of_questions_where_they_are_as_many():
    asked = {(each.samples, each.shards) for each in cases("query", Sizes(), Choice(sizes=("10m-small-shards", LARGE)))}
    grown = {(each.samples, each.shards) for each in cases("growth", Sizes(), Choice(growth=(0, 100_000)))}
    assert asked <= grown
