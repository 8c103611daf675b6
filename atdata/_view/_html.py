"""From facts to HTML: one small piece without scripts or files, that fits light and dark notebooks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from atdata._suppress import Caught

from ._facts import facts_of

__all__ = ["Box", "Picture", "box_html", "html_of"]

#: No colours of its own: text is the notebook's, lines and shades are half transparent.
_STYLE = """\
<style>
.atdata-box { font-size: 0.9em; line-height: 1.4; max-width: 60em; }
.atdata-box .atdata-title { font-size: 1.1em; font-weight: 600; }
.atdata-box .atdata-note { opacity: 0.7; overflow-wrap: anywhere; }
.atdata-box code { background: rgba(128, 128, 128, 0.15); color: inherit; border-radius: 3px; padding: 0 0.3em;
  white-space: pre-wrap; }
.atdata-box table { border-collapse: collapse; margin: 0.6em 0; font-size: inherit; color: inherit; }
.atdata-box th, .atdata-box td { text-align: left; padding: 0.15em 1.5em 0.15em 0; vertical-align: top;
  background: none; border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.25); max-width: 16em;
  overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
.atdata-box th { font-weight: 600; opacity: 0.7; white-space: nowrap; }
.atdata-box figure { display: inline-block; margin: 0.3em 0.8em 0.3em 0; text-align: center; vertical-align: top;
  width: 72px; }
.atdata-box figure img { width: 64px; height: 64px; object-fit: contain; image-rendering: pixelated;
  background: rgba(128, 128, 128, 0.15); }
.atdata-box figcaption { font-size: 0.85em; opacity: 0.7; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
</style>"""
#: Longer text is cut: lines, and cells of a table.
_LINE, _CELL = 400, 40
#: How many bytes of pictures are shown at most, as text in the page.
_PICTURES = 64 << 10


class Picture(NamedTuple):
    """A small picture and what stands below it."""

    #: Such as ``data:image/png;base64,…``.
    uri: str
    caption: str


class Box(NamedTuple):
    """A piece of HTML before it is one: all of it plain text."""

    title: str
    #: Lines below the title.
    notes: Sequence[str] = ()
    #: Lines that are code.
    code: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    pictures: Sequence[Picture] = ()


def html_of(thing: Any) -> str:
    """Return a thing as HTML; where its facts cannot be read, its short text and the reason."""
    attempt = Caught()
    with attempt:
        facts = facts_of(thing)
        return box_html(_LAYOUTS[facts["kind"]](facts))
    error = attempt.error
    return box_html(Box(repr(thing), notes=[f"{type(error).__name__}: {error}"]))


def box_html(box: Box) -> str:
    """Return a box as HTML; whatever it holds is text in it."""
    parts = [
        f'{_STYLE}\n<div class="atdata-box"><div class="atdata-title">{_text(box.title)}</div>',
        *(f'<div class="atdata-note">{_text(note)}</div>' for note in box.notes),
        *(f"<div><code>{_text(line)}</code></div>" for line in box.code),
        _table(box.head, box.rows) if box.rows else "",
        *map(_figure, _within(box.pictures)),
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


def _dataset_box(facts: dict[str, Any]) -> Box:
    shards = f"{facts['num_shards']:,} shard{'s'[: facts['num_shards'] != 1]}"
    notes = [facts["url"]]
    if "num_samples" not in facts:
        unread = "describe() reads all headers" if facts["has_manifests"] else "no manifests: len() walks the tars"
        return Box(facts["name"], [f"{shards}; {unread}", *notes], facts["choice"])
    everything, selected = f"{facts['num_samples']:,}", facts["num_selected"]
    counts = f"{'some' if selected is None else f'{selected:,}'} of {everything}"
    if not facts["is_selection"] and selected is not None:
        counts = everything
    if facts["is_selection"] and facts["fields"]:
        notes.append("the statistics are those of all samples")
    return Box(
        facts["name"],
        [f"{counts} samples in {shards}", *notes],
        facts["choice"],
        *_columns(facts["fields"]),
        [Picture(**picture) for picture in facts["pictures"]],
    )


def _batch_box(facts: dict[str, Any]) -> Box:
    head, rows = _columns(facts["fields"])
    return Box(facts["name"], head=head, rows=rows, pictures=[Picture(**picture) for picture in facts["pictures"]])


def _splits_box(facts: dict[str, Any]) -> Box:
    head, rows = _columns(facts["splits"])
    return Box(facts["name"], head=head, rows=rows)


def _location_box(facts: dict[str, Any]) -> Box:
    return Box(facts["name"], head=["", ""], rows=list(facts["location"].items()))


def _executor_box(facts: dict[str, Any]) -> Box:
    uncommitted = facts["uncommitted"]
    notes = [f"without a manifest: {', '.join(uncommitted)}"] if uncommitted else []
    return Box(facts["name"], notes, head=["loaded", "bytes"], rows=list(facts["loaded"].items()))


def _explanation_box(facts: dict[str, Any]) -> Box:
    values = dict(facts["explanation"])
    plan = values.pop("plan").splitlines()
    return Box(facts["name"], code=plan, head=["", ""], rows=list(values.items()))


_LAYOUTS: dict[str, Callable[[dict[str, Any]], Box]] = {
    "batch": _batch_box,
    "dataset": _dataset_box,
    "executor": _executor_box,
    "explanation": _explanation_box,
    "location": _location_box,
    "splits": _splits_box,
}


def _columns(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    return list(rows[0]) if rows else [], [list(row.values()) for row in rows]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    names = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>\n{lines}\n</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"<td>{value:,.4g}</td>"
    shown = f"{value:,}" if type(value) is int else "" if value is None else str(value)
    return f"<td>{_text(shown, _CELL)}</td>"


def _figure(picture: Picture) -> str:
    caption = _text(picture.caption)
    return (
        f'<figure><img src="{_escaped(picture.uri)}" alt="{caption}">'
        f'<figcaption title="{caption}">{caption}</figcaption></figure>'
    )


def _within(pictures: Iterable[Picture]) -> Iterator[Picture]:
    left = _PICTURES
    for picture in pictures:
        if len(picture.uri) <= left:
            left -= len(picture.uri)
            yield picture


def _text(text: str, longest: int = _LINE) -> str:
    return _escaped(text if len(text) <= longest else text[: longest - 1] + "…")


def _escaped(text: str) -> str:
    import html  # noqa: PLC0415 -- only notebooks need it

    return html.escape(text)
