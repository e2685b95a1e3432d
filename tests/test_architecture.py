"""The shape of the code: who may import whom, and how large things may grow.

Everything is read from the source; nothing is imported. A module that is new has to be placed in
`LAYERS` before these tests pass.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Left to right: a module imports from its own layer and from those before it.
LAYERS = [
    {
        *("errors", "names", "endpoints", "redaction", "logs", "health", "look", "traces"),
        *("open_telemetry", "garbage", "urls", "networks", "streams", "text"),
        *("durations", "outage", "redis_replies", "heartbeat"),
    },
    {"protocol"},
    {
        *(
            "profile",
            "accepted_values",
            "profile_source",
            "fields",
            "outcome",
            "context",
            "configuration",
        ),
        *("entries", "files", "service"),
        *("conditions", "sql", "query", "object_type"),
        "retry",
        *(
            "process",
            "process_function",
            "message_process",
            "object_process",
            "data_action",
            "file_resource",
        ),
    },
    {
        *(
            "settings",
            "setting",
            "history_settings",
            "http_settings",
            "secret_settings",
            "secret_key_file",
            "unknown_variables",
            "catalog",
            "history",
            "credentials",
        ),
        *("suspension", "parentage", "records", "overview", "children"),
    },
    {"store", "flow", "publisher", "broker"},
    {"execution", "metrics", "presence", "status", "server"},
    {
        *("listener", "console", "platform_api", "sandbox", "recovery", "testing", "cli"),
        *("__main__", "workers"),
    },
]

# Units of one layer that know nothing of each other, and the exceptions.
STRANGERS = [LAYERS[4], LAYERS[6]]
MAY_STILL_IMPORT = {
    "cli": {"listener", "console", "platform_api", "sandbox", "testing"},
    "__main__": {"cli"},
    "console": {"sandbox"},  # whose client it is
    "publisher": {"broker"},
}
NEVER = {"listener": {"execution"}}

FLASK = {"atom.listener", "atom.console", "atom.platform_api", "atom.sandbox"}
CELERY = {"atom.broker", "atom.publisher", "workers"}
HTTP_CLIENT = {"atom.flow.transport"}
ONLY_IN = {
    "flask": FLASK,
    "werkzeug": FLASK,
    "celery": CELERY,
    "kombu": CELERY,
    "billiard": CELERY,
    "redis": {"atom.store"},
    "urllib3": HTTP_CLIENT,
    "urllib.request": HTTP_CLIENT,
    "http.client": HTTP_CLIENT,
    "requests": HTTP_CLIENT,
    "httpx": HTTP_CLIENT,
    "opentelemetry": {"atom.open_telemetry"},
    "sqlalchemy": {"atom.store.sql", "atom.sql"},
    "psycopg": {"atom.store.sql"},
}

# The clock of a host may be wrong, so the store's decides (`Lease.now`, `RedisPart._now`). These
# read their own: for what they show, for files of their own host, or with no store at all.
MAY_READ_OWN_CLOCK = {
    *("atom.sandbox", "atom.console", "atom.cli", "atom.presence", "atom.history", "atom.testing"),
    *("atom.credentials", "atom.store.credential_store", "atom.health", "atom.metrics.sharing"),
}
OWN_CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
OWN_CLOCK |= {"time.time", "time.time_ns"}

IO_MODULES = {
    *("socket", "ssl", "select", "selectors", "asyncio", "http", "urllib.request"),
    *("os", "pathlib", "io", "shutil", "tempfile", "glob", "fileinput", "sqlite3"),
    *("subprocess", "signal", "threading", "multiprocessing", "time"),
    *("logging.handlers", "logging.config", "flask", "werkzeug", "celery", "kombu", "redis"),
    *("urllib3", "requests", "httpx"),
}

LONGEST_FILE = 600
LONGEST_FUNCTION = 50
PRODUCT = ["atom", "workers"]
EVERYTHING = [*PRODUCT, "tests", "examples", "benchmarks"]


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def unit(self) -> str:
        """The module or folder of `atom` that it belongs to, or `workers`."""
        parts = self.name.split(".")
        return parts[0] if parts[0] != "atom" else ".".join(parts[1:2])


@dataclass(frozen=True)
class Import:
    """One imported name, as a dotted path from its root."""

    target: str
    line: int


def sources(*folders: str) -> list[Module]:
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return found


def imports(module: Module) -> Iterator[Import]:
    """Every import in it, those by a literal `import_module("…")` too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = module.name.split(".")
                kept = parts[: len(parts) - node.level + module.is_package]
                origin = ".".join([*kept, *filter(None, [origin])])
            yield from (Import(f"{origin}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called in ("__import__", "import_module", "importlib.import_module"):
                yield Import(str(node.args[0].value), node.lineno)


def unit_of(target: str) -> str | None:
    """The unit an import goes to; None outside the project, "" for `atom` itself."""
    parts = target.split(".")
    if parts[0] == "workers":
        return "workers"
    if parts[0] != "atom":
        return None
    return parts[1] if len(parts) > 1 else ""


def is_within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(place + ".") for place in places)


def layer(unit: str) -> int:
    for index, units in enumerate(LAYERS):
        if unit in units:
            return index
    pytest.fail(
        f"“{unit}” is in no layer: place it in LAYERS at the top of tests/test_architecture.py "
        "(if it is a name that atom/__init__.py re-exports, import it from its own module)."
    )


def wrong_arrows(module: Module) -> list[str]:
    """The imports that go against the layers."""
    here = module.unit
    wrong = []
    for each in imports(module):
        there = unit_of(each.target)
        if there is None or there == here:
            continue
        if layer(there) > layer(here):
            why = "is to its right"
        elif there in NEVER.get(here, ()):
            why = "is closed to it"
        elif there in MAY_STILL_IMPORT.get(here, ()):
            continue
        elif any(here in units and there in units for units in STRANGERS):
            why = "stands beside it"
        else:
            continue
        wrong.append(f"{module.name}:{each.line} imports {each.target}, which {why}")
    return wrong


def wrong_libraries(module: Module) -> list[str]:
    return [
        f"{module.name}:{each.line} imports {each.target}, which only {sorted(places)} may"
        for each in imports(module)
        for library, places in ONLY_IN.items()
        if is_within(each.target, {library}) and not is_within(module.name, places)
    ]


def io_in(module: Module) -> list[str]:
    found = [
        f"{module.name}:{each.line} imports {each.target}"
        for each in imports(module)
        if is_within(each.target, IO_MODULES)
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "print", "input"):
            found.append(f"{module.name}:{node.lineno} calls {ast.unparse(node.func)}")
    return found


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def long_functions(module: Module) -> list[str]:
    """Those whose body, without its docstring, has too many lines."""
    found = []
    for function in functions(module):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        if lines > LONGEST_FUNCTION:
            found.append(f"{module.name}:{function.lineno} {function.name}: {lines} lines")
    return found


def inner_imports(module: Module) -> list[str]:
    return [
        f"{module.name}:{node.lineno} imports inside {function.name}"
        for function in functions(module)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def each_module(*folders: str):
    return pytest.mark.parametrize("module", sources(*folders), ids=lambda module: module.name)


@each_module(*PRODUCT)
def test_every_module_has_its_place(module):
    if module.unit:
        layer(module.unit)


@each_module(*PRODUCT)
def test_the_arrows_go_to_the_left(module):
    if module.unit:
        assert wrong_arrows(module) == []


@each_module(*PRODUCT)
def test_a_library_is_imported_only_where_it_belongs(module):
    assert wrong_libraries(module) == []


@each_module("atom")
def test_atom_never_imports_workers(module):
    assert [each for each in imports(module) if unit_of(each.target) == "workers"] == []


@each_module("atom/protocol")
def test_the_protocol_does_no_io(module):
    assert io_in(module) == []


def uses_of_own_clock(module: Module) -> list[str]:
    """The lines that read the wall clock of the host."""
    return [
        f"{module.name}:{node.lineno} reads the clock of its host"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in OWN_CLOCK
    ]


@each_module(*PRODUCT)
def test_only_what_is_shown_is_measured_by_the_clock_of_a_host(module):
    assert uses_of_own_clock(module) == [] or is_within(module.name, MAY_READ_OWN_CLOCK)


def test_a_use_of_the_clock_of_a_host_is_found():
    text = "from datetime import UTC, datetime\n\nwait_until = datetime.now(UTC)\n"
    assert uses_of_own_clock(Module("atom.execution.x", text)) == [
        "atom.execution.x:3 reads the clock of its host"
    ]


@each_module(*PRODUCT)
def test_no_function_is_too_long(module):
    assert long_functions(module) == []


@each_module(*PRODUCT)
def test_nothing_is_imported_inside_a_function(module):
    assert inner_imports(module) == []


@each_module(*EVERYTHING)
def test_no_file_is_too_long(module):
    lines = len(module.text.splitlines())
    assert lines <= LONGEST_FILE, f"{module.name} has {lines} lines; split it"


def test_the_health_check_needs_the_standard_library_only():
    (module,) = [each for each in sources("atom") if each.name == "atom.health"]
    targets = {each.target.split(".")[0] for each in imports(module)}
    assert targets <= sys.stdlib_module_names


def test_no_unit_is_in_two_layers():
    placed = [unit for units in LAYERS for unit in units]
    assert len(placed) == len(set(placed))


# What the checks above would say of code that breaks the rules.


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("atom.protocol.values", "from atom.profile import Profile", "to its right"),
        ("atom.errors", "import atom.settings", "to its right"),
        ("atom.store.redis_store", "from atom.execution.lease import Lease", "to its right"),
        ("atom.store.codec", "from atom import flow", "beside it"),
        ("atom.publisher", "from atom.store import RedisStore", "beside it"),
        ("atom.listener.app", "from atom.execution.runner import Runner", "closed to it"),
        ("atom.listener.app", "from ..execution import runner", "closed to it"),
        ("atom.listener.app", "from atom.sandbox import serve", "beside it"),
        ("atom.sandbox.app", "from atom.cli import main", "beside it"),
        ("atom.testing", "from atom.cli import main", "beside it"),
        ("atom.cli.roles", "from workers import app", "beside it"),
        ("atom.cli.roles", "import_module('workers.tasks')", "beside it"),
        ("workers.tasks", "from atom.listener import create_app", "beside it"),
        ("atom.catalog", "def f():\n    from workers import app", "to its right"),
    ],
)
def test_a_wrong_arrow_is_found(name, text, says):
    (found,) = wrong_arrows(Module(name, text))
    assert name in found
    assert says in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("atom.cli.roles", "from atom.listener import create_app\nfrom atom.sandbox import serve"),
        ("atom.testing", "from atom.execution.journal import encode"),
        ("atom.listener.accept", "from . import body\nfrom ..store import ExecutionStore"),
        ("atom.store.codec", "from atom.store import contract\nfrom atom import names"),
        ("workers.tasks", "from atom.execution.runner import Runner\nimport workers.lifecycle"),
        ("atom.errors", "import atomics\nfrom workersville import x\nimport logging"),
    ],
)
def test_a_right_arrow_is_not(name, text):
    assert wrong_arrows(Module(name, text)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("atom.novelty", "import atom.errors"),
        ("atom.novelty.inner", "from atom import names"),
        ("atom.store.codec", "from atom.novelty import x"),
        ("atom.store.codec", "from atom import FlowService"),
    ],
)
def test_a_new_module_has_to_be_placed(name, text):
    with pytest.raises(pytest.fail.Exception, match="place it in LAYERS"):
        wrong_arrows(Module(name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("atom.cli.roles", "from flask import Flask"),
        ("atom.execution.runner", "import celery.exceptions"),
        ("atom.listener.app", "from kombu import Connection"),
        ("atom.execution.lease", "import redis.exceptions"),
        ("atom.flow.callback", "from urllib3 import PoolManager"),
        ("atom.sandbox.client", "import urllib.request"),
        ("atom.storehouse", "import redis"),
        ("workers.tasks", "__import__('flask')"),
    ],
)
def test_a_library_in_the_wrong_place_is_found(name, text):
    assert len(wrong_libraries(Module(name, text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import os.path",
        "from pathlib import Path",
        "from urllib import request",
        "import logging.handlers",
        "from logging import handlers",
        "open('x')",
    ],
)
def test_io_is_found(text):
    assert len(io_in(Module("atom.protocol.values", text))) == 1


def test_harmless_imports_are_not_taken_for_io():
    text = "from urllib.parse import quote\nimport osmosis\nimport logging\nimport datetime"
    assert io_in(Module("atom.protocol.values", text)) == []


def test_a_long_function_and_an_inner_import_are_found():
    lines = "    x = 1\n"
    just = Module("atom.x", f'def f():\n    """Docstring."""\n{lines * LONGEST_FUNCTION}')
    over = Module("atom.x", f"async def f():\n{lines * (LONGEST_FUNCTION + 1)}")
    assert long_functions(just) == []
    assert long_functions(over) == [f"atom.x:1 f: {LONGEST_FUNCTION + 1} lines"]
    assert len(inner_imports(Module("atom.x", "def f():\n    if 1:\n        import os"))) == 1
