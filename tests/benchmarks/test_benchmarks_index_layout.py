"""The measurement that the index's layout rests on runs; what it finds is nobody's business here."""

import sys

import polars as pl

from benchmarks import index_layout


def test_every_layout_is_measured_on_both_kinds_of_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(index_layout, "_ROUNDS", 1)
    monkeypatch.setattr(sys, "argv", ["index_layout", "--rows", "3000", "--folder", str(tmp_path)])
    index_layout.main()
    printed = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    assert [cells[0] for cells in rows].count("in use") == 2
    assert sum(len(cells) == 3 + 5 for cells in rows) == 2 * len(index_layout._LAYOUTS)
    assert "`__key__`" in [cells[0] for cells in rows]


def test_questions_find_what_they_say():
    rows = pl.concat(list(index_layout.rows(100_000, clustered=True)))
    found = {name: rows.filter(question).height for name, question in index_layout.questions(100_000).items()}
    assert (found["key"], found["1 % range"]) == (1, 1001)
    assert abs(found["20 % broad"] - 20_000) < 1000
    assert rows.group_by("__shard__").agg(pl.first("__offset__"))["__offset__"].sum() == 0
