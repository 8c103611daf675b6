"""Draw figures: ``python plots.py FOLDER`` with what _figures.py says, as JSON, on the input; the same SVG each time.

It runs in an environment of its own, which has matplotlib.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 8, "axes.grid": True,
                 "grid.alpha": 0.3, "legend.fontsize": 7}  # fmt: skip
from matplotlib import pyplot as plt  # noqa: E402 -- the backend comes first
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter  # noqa: E402 -- as above

#: Width of a panel, height, height of one name in a list, and of the legend, in inches.
_WIDTH, _HEIGHT, _NAME, _LEGEND = 4.4, 2.8, 0.19, 0.5
_MARKERS = "osD^vP*Xh<>"
#: Below this ratio of the longest to the shortest time, powers of ten alone would be too few ticks.
_FEW_DECADES = 100


def main() -> None:
    """Draw what is asked for."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for figure in json.load(sys.stdin):
        _draw(figure, folder / f"{figure['name']}.svg")


def _draw(figure: dict[str, Any], path: Path) -> None:
    panels = figure["panels"]
    columns = min(figure["columns"], len(panels))
    rows = math.ceil(len(panels) / columns)
    tallest = max([_HEIGHT, *(_NAME * len(each["names"]) + 0.8 for each in panels if each["kind"] == "dots")])
    drawn, axes = plt.subplots(rows, columns, figsize=(_WIDTH * columns, tallest * rows), squeeze=False)
    everyone = list(dict.fromkeys(name for each in panels for name in each.get("series", ())))
    for axis, panel in zip(axes.flat, panels, strict=False):
        {"dots": _dots, "points": _series, "lines": _series}[panel["kind"]](axis, panel, everyone)
        axis.set_title(panel["title"])
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    if everyone:
        shown = dict(sorted(_handles(axes).items(), key=lambda each: everyone.index(each[0])))
        drawn.legend(shown.values(), shown, loc="lower center", ncols=min(5, len(shown)))
    drawn.tight_layout(rect=(0, _LEGEND / (tallest * rows) if everyone else 0, 1, 1))
    drawn.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(drawn)


def _handles(axes: Any) -> dict[str, Any]:
    return {name: handle for axis in axes.flat for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}


def _dots(axis: Any, panel: dict[str, Any], _: list[str]) -> None:
    names, values = panel["names"][::-1], panel["values"][::-1]
    colours = ["C0" if name.startswith("atdata") else "0.5" if name.startswith("limit") else "C1" for name in names]
    axis.hlines(names, [min(value, 1) for value in values], [max(value, 1) for value in values], color=colours)
    axis.scatter(values, names, color=colours, s=18, zorder=3)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xscale("log")
    axis.set_xlim(min(values) / 2, max(values) * 2)
    if max(values) < _FEW_DECADES * min(values):
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(panel["axis"])


def _series(axis: Any, panel: dict[str, Any], everyone: list[str]) -> None:
    x = panel.get("x") or range(len(panel["names"]))
    for name, values in panel["series"].items():
        number = everyone.index(name)
        known = [(at, value) for at, value in zip(x, values, strict=True) if value is not None]
        axis.plot(
            *zip(*known, strict=True), _MARKERS[number % len(_MARKERS)], color=f"C{number % 10}", label=name,
            linestyle="-" if panel["kind"] == "lines" else "", markersize=5,
        )  # fmt: skip
    axis.set_yscale("log")
    axis.set_ylabel(panel["axis"])
    if panel["kind"] == "lines":
        axis.set_xscale("log")
        axis.set_xlabel(panel["below"])
    else:
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_xticks(list(x), panel["names"])


if __name__ == "__main__":
    main()
