"""The page says in words what the figures say, losses and misses included. All figures here are made up."""

import pytest

from benchmarks._docs import page
from benchmarks._report import losses
from benchmarks._run import Machine, Record, Run, Sizes
from benchmarks._targets import TARGETS


def made_up(**seconds: float) -> Run:
    """Return a run of `write`; a name's underscore is a blank."""
    records = [Record("write", name.replace("_", " "), (each,), 100, "d", 0.5) for name, each in seconds.items()]
    versions = {"peers": {"python": "3.12.1", "polars": "2.1.0", "pylance": "14.0.2"}}
    return Run(Machine("Linux x86_64", 2, 1 << 34), Sizes(), versions, 0.1, 0.9, 60.0, tuple(records))


def test_who_is_faster_is_named_with_the_ratio():
    assert losses(made_up(atdata=3.0, lance=2.0)) == ["write: `atdata` takes 1.50 times the time of `lance`."]


def test_a_loss_that_may_be_noise_is_still_named():
    assert losses(made_up(atdata=2.1, lance=2.0)) == [
        "write: `atdata` takes 1.05 times the time of `lance`, which may be noise."
    ]


def test_who_is_slower_and_the_limit_are_no_losses():
    run = made_up(atdata=3.0, lance=4.0, **{"limit:_bytes": 1.0})
    assert losses(run) == []
    assert "Nowhere in this run." in page(run)


def test_what_took_nothing_has_no_ratio():
    assert losses(made_up(atdata=0.0, lance=2.0)) == []
    assert made_up(atdata=2.0, lance=0.0).ratio("write", "atdata", "lance") is None


def test_memory_is_no_time():
    run = made_up()
    rise = [Record("memory", name, (each,), 10, None, 0.0) for name, each in (("atdata", 3e6), ("webdataset", 1e6))]
    run = Run(run.machine, run.sizes, run.versions, 0.1, 0.9, 60.0, tuple(rise))
    assert losses(run) == ["memory: `atdata` needs 3.00 times the memory of `webdataset`."]


def test_the_page_holds_losses_misses_versions_and_what_was_left_out():
    text = page(made_up(atdata=3.0, lance=2.0, original=13.0))
    assert "- write: `atdata` takes 1.50 times the time of `lance`." in text
    assert f"1 of {len(TARGETS)} were missed. {len(TARGETS) - 2} were not measured" in text
    assert "Python 3.12.1, polars 2.1.0, pylance 14.0.2" in text
    assert "- `datasets`: one Arrow file" in text
    assert "no fsync (not measured in this run)." in text


@pytest.mark.parametrize(
    ("original", "verdict"), [(3.9, "**missed**"), (4.0, "met"), (5.9, "met"), (6.0, "met, stretch too")]
)
def test_a_target_is_met_from_its_figure_on(original, verdict):
    assert TARGETS[0].verdict(made_up(atdata=1.0, original=original)) == verdict


def test_a_target_of_at_most_is_met_up_to_its_figure():
    target = next(each for each in TARGETS if each.words.startswith("fetch: of the time of bare pread"))

    def run(ours: float) -> Run:
        records = (Record("fetch", "atdata", (ours,), 1), Record("fetch", "limit: pread", (1.0,), 1))
        return Run(Machine("", 1, 1), Sizes(), {}, 0.0, 0.0, 1.0, records)

    assert [target.verdict(run(each)) for each in (2.5, 3.2, 3.3)] == ["met, stretch too", "met", "**missed**"]


def test_a_target_without_figures_is_not_measured():
    assert TARGETS[0].verdict(made_up(atdata=1.0)) == "not measured"
