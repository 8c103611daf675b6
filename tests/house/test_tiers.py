"""How much tests try: the same few in a check, others in each soak, and every law asks for its number the same way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiers

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e9"])
def test_what_is_no_amount_of_soaking_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"SOAK={text!r} is not a number above 0; SOAK=1 soaks"):
        tiers.read_soak(text)


def test_without_the_variable_nothing_soaks() -> None:
    assert tiers.read_soak(None) == 0
    assert tiers.read_soak("0.5") == 0.5


def test_a_seed_is_the_one_that_was_set_or_a_new_one() -> None:
    assert tiers.read_seed("12") == 12
    assert tiers.read_seed(None) != tiers.read_seed(None)
    with pytest.raises(ValueError, match="SOAK_SEED='x' is not a whole number"):
        tiers.read_seed("x")


@pytest.mark.parametrize(
    ("soak", "expected"), [(0.0, (7, 7)), (1.0, (70, 500)), (3.0, (210, 1500)), (0.001, (1, 1))], ids=str
)
def test_a_soak_scales_what_is_tried(monkeypatch: pytest.MonkeyPatch, soak: float, expected: tuple[int, int]) -> None:
    monkeypatch.setattr(tiers, "SOAK", soak)
    assert (tiers.rounds(7), tiers.rounds(7, soaking=500)) == expected


def test_random_numbers_follow_from_the_seed_and_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "SEED", 1)
    first = tiers.chance("a").random()
    assert tiers.chance("a").random() == first != tiers.chance("b").random()
    monkeypatch.setattr(tiers, "SEED", 2)
    assert tiers.chance("a").random() != first


def examples_of_a_law() -> list[int]:
    """Return the examples that a new law tries."""
    found: list[int] = []

    @tiers.law(20)
    @given(st.integers())
    def holds(number: int) -> None:
        found.append(number)

    assert holds.pytestmark[0].name == "soak"
    holds()
    return found


def test_a_law_tries_the_same_examples_in_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "SOAK", 0.0)
    assert examples_of_a_law() == examples_of_a_law()


def test_a_law_tries_other_examples_with_another_seed_and_the_same_with_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiers, "SOAK", 0.05)
    tried = []
    for seed in (1, 2, 1):
        monkeypatch.setattr(tiers, "SEED", seed)
        tried.append(examples_of_a_law())
    assert tried[0] == tried[2] != tried[1]


def test_an_example_that_failed_is_tried_first_in_the_next_soak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tiers, "SOAK", 0.1)
    monkeypatch.setattr(tiers, "DATABASE", tmp_path)
    tried: list[int] = []

    def holds(number: int) -> None:
        tried.append(number)
        assert number < 1000

    for seed in (1, 2):
        monkeypatch.setattr(tiers, "SEED", seed)
        tried.clear()
        with pytest.raises(AssertionError):
            tiers.law(100)(given(st.integers())(holds))()
    assert tried[0] == 1000


def laws(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef, list[str]]]:
    """Yield the property tests of a module with their decorators."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(each) for each in node.decorator_list]
            if any(each.startswith("given(") for each in decorators):
                yield node, decorators


def test_every_law_says_how_much_is_tried() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in TESTS
        for node, decorators in laws(ast.parse(path.read_text()))
        if not any(each.startswith(("law(", "tiers.law(")) or each.isupper() for each in decorators)
    ]
    assert silent == []


def test_what_holds_a_law_inside_is_tried_when_soaking() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{test.lineno}: {test.name}"
        for path in TESTS
        if path != Path(__file__)
        for test in ast.parse(path.read_text()).body
        if isinstance(test, ast.FunctionDef)
        and any(node is not test for node, _ in laws(test))
        and not any("soak" in ast.unparse(each) for each in test.decorator_list)
    ]
    assert silent == []
