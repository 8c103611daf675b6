"""The page says in words what the figures say, losses and misses included. All figures here are made up."""

import sys
from pathlib import Path

import pytest

from benchmarks._docs import page, write_page
from benchmarks._figures import figures
from benchmarks._report import losses, summary
from benchmarks._results import Results
from benchmarks._run import Machine, Peak, Record, Run, Sizes
from benchmarks._targets import TARGETS
from tests.extras import needs

MACHINE = Machine("Linux x86_64", 2, 1 << 34)
VERSIONS = {"peers": {"python": "3.12.1", "polars": "2.1.0", "pylance": "14.0.2"}}
QUERIED = "query/10m/clustered"


def run_of(name: str = "2026-11-22T20:00:00 1") -> Run:
    return Run(name, MACHINE, Sizes(), VERSIONS, 0.1, command="--jobs write")


def made_up(*found: Record | Peak, **seconds: float) -> Results:
    """Return results of `write`; a name's underscore is a blank."""
    records = [Record("write", name.replace("_", " "), (each,), 100, "d", 0.5) for name, each in seconds.items()]
    results = Results()
    results.add(run_of(), [*records, *found])
    return results


def asked(question: str, **seconds: float) -> list[Record]:
    """Return records of a question; a name's underscores are a comma and a blank."""
    case = f"{QUERIED}/{question}"
    return [Record(case, name.replace("_", ", "), (each,), 100, "d", 0.5) for name, each in seconds.items()]


def target(words: str):
    return next(each for each in TARGETS if each.words.startswith(words))


def test_who_is_faster_is_named_with_the_ratio():
    assert losses(made_up(atdata=3.0, lance=2.0)) == ["write: `atdata` takes 1.50 times the time of `lance`."]


def test_a_loss_that_may_be_noise_is_still_named():
    assert losses(made_up(atdata=2.1, lance=2.0)) == [
        "write: `atdata` takes 1.05 times the time of `lance`, which may be noise."
    ]


def test_losses_at_several_questions_are_one_line():
    found = [*asked("tags", atdata_sidecars_cold=3.0, polars=2.0), *asked("key", atdata_sidecars_cold=4.0, polars=2.0)]
    assert losses(made_up(*found)) == [
        "query, 10m, clustered: `atdata, sidecars, cold` takes 1.50 (tags), 2.00 (key) times the time of `polars`."
    ]


def test_who_is_slower_and_the_limit_are_no_losses():
    results = made_up(atdata=3.0, lance=4.0, **{"limit:_bytes": 1.0})
    assert losses(results) == []
    assert "Nowhere in these runs." in page(results)


def test_what_took_nothing_has_no_ratio():
    assert losses(made_up(atdata=0.0, lance=2.0)) == []
    assert made_up(atdata=2.0, lance=0.0).ratio("write", "atdata", "lance") is None


def test_memory_is_no_time():
    rise = [Record("memory", name, (each,), 10) for name, each in (("atdata", 3e6), ("webdataset", 1e6))]
    assert losses(made_up(*rise)) == ["memory: `atdata` needs 3.00 times the memory of `webdataset`."]


def test_who_fetches_fewer_is_compared_by_the_time_of_a_sample():
    fetched = [Record("fetch", "atdata", (1.0,), 100), Record("fetch", "litdata", (1.0,), 2)]
    assert made_up(*fetched).ratio("fetch", "litdata", "atdata") == pytest.approx(50)


def test_the_page_holds_losses_misses_versions_and_what_was_left_out():
    text = page(made_up(atdata=3.0, lance=2.0, original=13.0))
    assert "- write: `atdata` takes 1.50 times the time of `lance`." in text
    assert f"1 of {len(TARGETS)} were missed. {len(TARGETS) - 2} were not measured" in text
    assert "Python 3.12.1, polars 2.1.0, pylance 14.0.2" in text
    assert "- Run of 2026-11-22T20:00:00: `--jobs write`. Load average 0.1 before it" in text
    assert "- `datasets`: one Arrow file" in text
    assert "no fsync (not measured in these runs)." in text
    assert "| original | fetch | the offsets in its manifests are no places in its tars |" in text


def test_memory_stands_beside_time():
    text = page(made_up(Peak("write", "atdata", 5_000_000), atdata=3.0))
    assert "| `atdata` | 100 | 3,000 | 30,000.0 | 1.00 | 1.00 | 5 |" in text


def test_a_table_of_questions_has_a_row_a_candidate_and_a_column_a_question():
    found = [*asked("tags", atdata_index=1.0, polars=2.0), *asked("key", atdata_index=0.5, polars=2.0)]
    text = page(made_up(*found, Peak(QUERIED, "polars", 7_000_000)))
    assert "### query, 10m, clustered: 10,000,000 rows in 1,000 shards" in text
    assert "| candidate | held against | tags (100) | key (100) | memory, MB |" in text
    assert "| `atdata, index` |  | 1,000 | 500 |  |" in text
    assert "| `polars` | `atdata, sidecars, cold` | 2,000 | 2,000 | 7 |" in text


def test_growth_has_a_column_a_number_of_shards():
    grown = [Record(f"growth/{n}/clustered/open", "atdata, index", (n / 1e4,), n) for n in (100, 1000)]
    text = page(made_up(*grown, Peak("growth/100/clustered/open", "atdata, index", 3_000_000)))
    assert "| what | candidate | 100 shards: ms (MB) | 1,000 shards: ms (MB) |" in text
    assert "| open | `atdata, index` | 10.0 (3) | 100 () |" in text


@pytest.mark.parametrize(
    ("original", "verdict"), [(3.9, "**missed**"), (4.0, "met"), (5.9, "met"), (6.0, "met, stretch too")]
)
def test_a_target_is_met_from_its_figure_on(original, verdict):
    assert TARGETS[0].verdict(made_up(atdata=1.0, original=original)) == verdict


def test_a_target_of_at_most_is_met_up_to_its_figure():
    found = target("fetch: of the time of bare pread")

    def results(ours: float) -> Results:
        return made_up(Record("fetch", "atdata", (ours,), 1), Record("fetch", "limit: pread", (1.0,), 1))

    assert [found.verdict(results(each)) for each in (2.5, 3.2, 3.3)] == ["met, stretch too", "met", "**missed**"]


def test_a_target_without_figures_is_not_measured():
    assert TARGETS[0].verdict(made_up(atdata=1.0)) == "not measured"


def test_the_worst_of_several_counts_and_only_once_all_are_known():
    found = target("open and query, 1 M rows, selective")

    def of(kind: str, seconds: float) -> list[Record]:
        case = f"query/1m/{kind}/selective"
        return [Record(case, "original", (seconds,), 1), Record(case, "atdata, index, cold", (1.0,), 1)]

    assert found.verdict(made_up(*of("random", 50))) == "not measured"
    assert found.found(made_up(*of("random", 50), *of("clustered", 30))) == 30


def test_a_target_of_the_index_is_a_ratio_to_plain_polars():
    found = target("query 10m, clustered, tags: `atdata, index`")
    assert found.verdict(made_up(*asked("tags", atdata_index=0.5, polars=1.0))) == "met"
    assert found.verdict(made_up(*asked("tags", atdata_index=0.8, polars=1.0))) == "**missed**"
    assert found.verdict(made_up(*asked("tags", atdata_index=0.3, polars=1.0))) == "met, stretch too"


def test_bytes_beyond_the_fields_are_those_of_the_index_less_those_of_the_fields():
    found = target("index: beyond the fields")
    facts = {"index_bytes": 3000, "fields_bytes": 1000}
    cases = ("10m/random", "10m/clustered", "10m-small-shards/random")
    assert found.found(made_up(*(Record(f"index/{case}", "atdata", (1.0,), 100, facts=facts) for case in cases))) == 20


def test_a_terminal_is_told_the_same_as_the_page():
    results = made_up(*asked("tags", atdata_index=1.0, polars=2.0), atdata=3.0, lance=2.0)
    text, told = page(results), summary(results)
    assert all(line in text for line in told.splitlines() if line.startswith("| "))
    assert "loses: write: `atdata` takes 1.50 times the time of `lance`." in told


def test_figures_hold_ratios_and_what_was_not_measured_is_missing():
    found = [*asked("tags", atdata_index=1.0, polars=2.0), *asked("key", polars=2.0)]
    grown = [Record(f"growth/{n}/clustered/open", "polars", (n / 1e4,), n) for n in (1000, 100)]
    samples, queries, growth = figures(made_up(*found, *grown, atdata=2.0, lance=1.0))
    assert samples["panels"][0] | {"axis": ""} == {
        "title": "write", "kind": "dots", "names": ["atdata", "lance"], "values": [1.0, 0.5], "axis": "",
    }  # fmt: skip
    assert queries["panels"][0]["names"] == ["tags", "key"]
    assert queries["panels"][0]["series"] == {"atdata, index": [0.5, None]}
    assert growth["panels"][0]["x"] == [100, 1000]
    assert growth["panels"][0]["series"] == {"polars": [0.01, 0.1]}


@needs("matplotlib")
def test_the_same_figures_are_the_same_files(tmp_path):
    found = [*asked("tags", atdata_index=1.0, polars=2.0), *asked("key", polars=2.0)]
    results = made_up(*found, atdata=2.0, lance=1.0)
    written = [write_page(results, tmp_path / name, lambda: Path(sys.executable)) for name in ("a", "b")]
    first, second = ([path.read_bytes() for path in paths] for paths in written)
    assert first == second


def test_nothing_is_written_of_nothing(tmp_path):
    with pytest.raises(ValueError, match="no results of full size"):
        write_page(Results(), tmp_path, lambda: Path(sys.executable))
