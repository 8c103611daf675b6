"""Only `_storage` touches a file system, and `cli`, which is a program: what everything else reads and writes goes
through a store."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "atdata"
#: The rooms that may.
ROOMS = {"_storage", "cli"}
#: Modules whose every call touches one, but for those that only look at text.
MODULES = {"glob": {"escape", "has_magic", "translate"}, "shutil": set(), "tempfile": set(), "fcntl": set()}
#: Functions of `os` and `os.path` that touch none.
OF_TEXT = {
    "basename",
    "commonpath",
    "commonprefix",
    "cpu_count",
    "dirname",
    "fsdecode",
    "fsencode",
    "fspath",
    "get",
    "getenv",
    "getpid",
    "isabs",
    "join",
    "normpath",
    "register_at_fork",
    "split",
    "splitext",
    "urandom",
}
#: Methods of paths that touch one, and names that nothing else in the package has.
METHODS = {
    "absolute",
    "chmod",
    "exists",
    "expanduser",
    "hardlink_to",
    "is_dir",
    "is_file",
    "is_symlink",
    "iterdir",
    "lstat",
    "mkdir",
    "read_bytes",
    "read_text",
    "readlink",
    "resolve",
    "rglob",
    "rmdir",
    "samefile",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
}
#: Methods that stores and other things have, too: refused where the receiver is called a path.
SHARED = {"open", "stat", "glob", "replace", "rename"}
#: What readers and writers of tables get instead of a path.
IN_MEMORY = {"BufferReader", "BytesIO", "_Sink", "buffer", "data", "footer", "getvalue", "read"}


def last_name(node: ast.expr) -> str:
    """Return the last name of an expression: `b` of `a.b`, `f` of `x.f(y)`."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.ListComp):
        return last_name(node.elt)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def touches(call: ast.Call) -> bool:
    """Return whether a call touches a file system."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in ("open", "LocalStore", "ParquetWriter")
    if not isinstance(function, ast.Attribute):
        return False
    name, receiver = function.attr, last_name(function.value)
    if receiver in ("os", "path") and ast.unparse(function.value) in ("os", "os.path"):
        return name not in OF_TEXT
    if receiver in MODULES:
        return name not in MODULES[receiver]
    if receiver == "Path":
        return name in METHODS | SHARED | {"cwd", "home"}
    if name in SHARED:
        return "path" in receiver.lower() or receiver == "folder"
    return name in METHODS or is_table_by_path(name, receiver, call)


def is_table_by_path(name: str, receiver: str, call: ast.Call) -> bool:
    """Return whether a call lets Polars or pyarrow open a file by itself."""
    kinds = ("parquet", "csv", "ipc", "ndjson", "json", "table", "schema", "metadata")
    reads = receiver in ("pl", "pq") and name.startswith(("read_", "scan_", "ParquetFile", "ParquetWriter"))
    writes = name.startswith(("write_", "sink_")) and name.endswith(kinds) and name != "write_table"
    if not (reads or writes):
        return False
    return not call.args or last_name(call.args[0]) not in IN_MEMORY


def calls(source: str) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and touches(node))


def test_only_the_storage_room_touches_a_file_system() -> None:
    offences = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}: {ast.unparse(call.func)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ROOMS
        for call in calls(path.read_text())
    ]
    assert offences == []


@pytest.mark.parametrize(
    "source",
    [
        "open(name)",
        "os.stat(name)",
        "os.path.exists(name)",
        "os.path.abspath(name)",
        "os.fsync(file.fileno())",
        "glob.glob(name)",
        "shutil.rmtree(name)",
        "tempfile.mkdtemp()",
        "Path(name).stat()",
        "Path.cwd()",
        "path.parent.exists()",
        "self._path.open('ab')",
        "target.parent.mkdir(parents=True)",
        "pl.read_parquet(path)",
        "pl.scan_parquet(source)",
        "pl.scan_parquet(paths, schema=schema)",
        "frame.write_parquet(path)",
        "rows.sink_parquet(path)",
        "pq.ParquetWriter(path, schema)",
        "pq.read_table(path)",
        "LocalStore(folder)",
    ],
)
def test_the_law_finds_what_breaks_it(source: str) -> None:
    assert list(calls(source))


@pytest.mark.parametrize(
    "source",
    [
        "store.open(name)",
        "os.fspath(path)",
        "os.environ.get(name)",
        "os.path.basename(name)",
        "glob.escape(name)",
        "Path(name).name",
        "text.replace(a, b)",
        "pl.read_parquet(io.BytesIO(data))",
        "pl.read_parquet(data)",
        "pl.read_csv(path.store.read(path.name))",
        "frame.write_parquet(buffer)",
        "writer.write_table(table)",
        "pq.ParquetWriter(_Sink(upload), schema)",
        "scan_tables(store.tables(names), schema)",
    ],
)
def test_the_law_lets_pass_what_keeps_it(source: str) -> None:
    assert not list(calls(source))
