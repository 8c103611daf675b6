"""Results as text."""

from collections.abc import Iterable, Sequence

from ._paired import Interval, difference
from ._rows import Count, Row, Speedup

__all__ = ["control_line", "counts_lines", "speedup_lines", "table"]


def table(rows: Iterable[Row]) -> str:
    """Return the ratios as a Markdown table."""
    lines = [
        "| job | before | after | | ratio | 95 % interval | limit | verdict |",
        "|---|--:|--:|---|--:|---|--:|---|",
    ]
    for row in rows:
        under, over = row.medians
        interval = f"[{row.interval.low:.3f}, {row.interval.high:.3f}]"
        limit = "" if row.limit is None else f"{row.limit:g}"
        cells = (row.name, f"{under:.3f}", f"{over:.3f}", row.unit, f"{row.interval.median:.3f}", interval, limit)
        lines.append(f"| {' | '.join(cells)} | {row.verdict} |")
    return "\n".join(lines)


def counts_lines(counts: Iterable[Count]) -> list[str]:
    """Return a line for each job: counts that differ, that are equal, and that vary from run to run."""
    by_job: dict[str, list[Count]] = {}
    for count in counts:
        if any([*count.before, *count.after]):
            by_job.setdefault(count.job, []).append(count)
    return [f"- {job}: {_counts(of_job)}" for job, of_job in by_job.items()]


def _counts(counts: Sequence[Count]) -> str:
    differ = ", ".join(_differing(count) for count in counts if count.exact and not count.equal)
    equal = ", ".join(f"{count.name} {count.before[0]:,}" for count in counts if count.equal)
    vary = ", ".join(count.name for count in counts if not count.exact)
    parts = {"**differ**": differ, "equal": equal, "vary from run to run": vary}
    return "; ".join(f"{words}: {names}" for words, names in parts.items() if names)


def _differing(count: Count) -> str:
    before, after = count.before[0], count.after[0]
    return f"{count.name} {before:,} before, {after:,} after" + (f" ({after / before:.3f})" if before else "")


def speedup_lines(speedups: Iterable[Speedup], processes: int) -> list[str]:
    """Return a line for each side: the speed-up beside the calibration."""
    return [
        f"- parallel, {one.side}: {processes} processes are {_interval(one.speedup)} times as fast as one; in the same "
        f"minute the machine gave {processes} busy processes {_interval(one.capacity)} times what it gave one"
        for one in speedups
    ]


def _interval(interval: Interval) -> str:
    return f"{interval.median:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def control_line(rows: Sequence[Row]) -> str:
    """Return how often a comparison of a version with itself shows a difference."""
    intervals = [row.interval for row in rows if "/" not in row.name]
    excluding = sum(not interval.low <= 1 <= interval.high for interval in intervals)
    beyond = sum(difference(interval) in ("slower", "faster") for interval in intervals)
    return (
        f"control: of {len(intervals)} intervals, {excluding} exclude 1 and {beyond} lie wholly beyond 5 %; "
        f"{sum(difference(interval) == 'same' for interval in intervals)} lie wholly within 5 %"
    )
