"""The measurement that the limits of reading rest on runs; what it finds is nobody's business here."""

import sys

from benchmarks import reading


def test_every_table_is_printed_with_a_figure_in_each_cell(tmp_path, monkeypatch, capsys):
    for name, value in (("_SHARDS", 3), ("_PER_SHARD", 60), ("_ROUNDS", 1)):
        monkeypatch.setattr(reading, name, value)
    monkeypatch.setattr(sys, "argv", ["reading", "--folder", str(tmp_path)])
    reading.main()
    printed = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    figures = [cells for cells in rows if cells[0].endswith("%") or cells[0] in ("cold", "warm")]
    assert len(figures) == 7 + 7 + 2 + 2
    assert all(float(cell) > 0 for cells in figures for cell in cells[1:])
    assert "12 samples in order take Cost(requests=" in printed
