"""Errors, by name: what they are, what they carry, and that they cross processes whole."""

import pickle

import pytest

import atdata

BUILTINS = {
    "AmbiguousKeyError": KeyError,
    "DecodeError": ValueError,
    "DamagedManifestError": ValueError,
    "LensNotFoundError": ValueError,
    "ManifestNotFoundError": FileNotFoundError,
    "PredicateError": ValueError,
    "SampleKeyError": KeyError,
    "SampleValueError": (TypeError, ValueError),
    "SchemaError": TypeError,
    "DuplicateShardError": ValueError,
    "ShardExistsError": FileExistsError,
    "StateError": ValueError,
    "UnsupportedFormatError": ValueError,
    "UnsupportedSchemeError": ValueError,
    "NotAFileError": OSError,
    "UnknownOutcomeError": OSError,
}
WITHIN = {
    "DamagedManifestError": "ManifestError",
    "ManifestNotFoundError": "ManifestError",
    "UnsupportedFormatError": "ManifestError",
    "ShardChangedError": "ShardError",
    "DuplicateShardError": "ShardError",
    "ShardExistsError": "ShardError",
}
ARGUMENTS = {
    "DuplicateShardError": ("s", "why"),
    "PartialFailureError": (["a"], ["b"], {"b": ValueError("why")}, {"a": 3}),
    "SampleKeyError": ("k",),
    "ShardChangedError": ("s", "why"),
    "ShardError": ("s", "why"),
    "ShardExistsError": ("s", "why"),
}
ERRORS = sorted(name for name in atdata.__all__ if name.endswith("Error"))


def made(name):
    return getattr(atdata, name)(*ARGUMENTS.get(name, ("why",)))


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_the_one_root(name):
    assert issubclass(getattr(atdata, name), atdata.AtdataError)


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_errors_are_the_builtins_that_programs_catch(name, builtin):
    for each in builtin if isinstance(builtin, tuple) else (builtin,):
        assert issubclass(getattr(atdata, name), each)


@pytest.mark.parametrize(("name", "family"), WITHIN.items())
def test_errors_belong_to_their_family(name, family):
    assert issubclass(getattr(atdata, name), getattr(atdata, family))


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_pickles(name):
    error = made(name)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert "why" in str(again) or "k" in str(again)


@pytest.mark.parametrize("name", [*ERRORS, "ManifestIndexWarning", "StaleManifestWarning", "UncommittedShardWarning"])
def test_every_error_is_named_by_where_it_is_imported_from(name):
    assert getattr(atdata, name).__module__ == "atdata"


@pytest.mark.parametrize("name", ["ManifestIndexWarning", "StaleManifestWarning", "UncommittedShardWarning"])
def test_warnings_are_user_warnings(name):
    assert issubclass(getattr(atdata, name), UserWarning)


def partial(failed, *, errors=None, done=1):
    errors = {shard: ValueError(f"{shard} is bad\nat length") for shard in failed} if errors is None else errors
    return atdata.PartialFailureError([f"d{n}" for n in range(done)], failed, errors, {"d0": 3})


def test_a_partial_failure_carries_what_was_done_and_what_was_not():
    error = partial(["s1", "s2"])
    assert (error.succeeded_shards, error.failed_shards, error.results) == (["d0"], ["s1", "s2"], {"d0": 3})
    assert str(error.errors["s2"]) == "s2 is bad\nat length"


def test_a_partial_failure_lists_the_failed_shards_with_their_first_lines():
    first, *rest = str(partial(["s1", "s2"], done=3)).split("\n")
    assert first.startswith("2 of 5 shards failed")
    assert rest == ["  s1: ValueError: s1 is bad", "  s2: ValueError: s2 is bad"]


def test_a_partial_failure_of_many_shards_stays_short():
    lines = str(partial([f"s{n}" for n in range(5000)])).split("\n")
    assert len(lines) == 14
    assert lines[-1] == "  and 4988 more"


def test_a_partial_failure_without_a_known_error_says_so():
    assert str(partial(["s1"], errors={})).endswith("  s1: no error is known")


def test_a_partial_failure_pickles_whole():
    again = pickle.loads(pickle.dumps(partial(["s1"])))
    assert (again.succeeded_shards, again.failed_shards, again.results) == (["d0"], ["s1"], {"d0": 3})
    assert isinstance(again.errors["s1"], ValueError)


def test_a_partial_failure_does_not_follow_the_lists_that_it_was_given():
    failed = ["s1"]
    error = partial(failed)
    failed.clear()
    assert error.failed_shards == ["s1"]
