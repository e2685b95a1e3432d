"""What README and docs say is compared with what is; their code and commands run in tests/docs."""

import dataclasses
import inspect
import re
from functools import cached_property
from types import MemberDescriptorType

import click
import pytest

import atom
from atom import Execution, FlowService, Query, Retry, UploadedFile, fields, testing
from atom.cli import main
from atom.data_action import DataAction
from atom.file_resource import FileResource
from atom.settings import Settings
from atom.testing import MemoryJournal
from docs.generate import SETTINGS, settings_page
from docs.measured import SCALING, scaling_page
from tests.docs.pages import BLOCKS, PAGES, ROOT
from tests.docs.rules import VARIABLES, check_inline
from tests.support.permissions import PAGE, permitted_commands

README = PAGES["README.md"]
# Named in prose as they are named on a page of ours.
FOLDERS = "atom|workers|tests|docs|examples|benchmarks|deploy"

each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def test_the_settings_reference_is_what_the_code_says():
    assert SETTINGS.read_text() == settings_page(), "run: make docs"


def test_the_figures_of_scaling_are_those_that_were_measured_last():
    assert SCALING.read_text() == scaling_page(SCALING.read_text()), "run: make docs"


def test_the_first_service_of_the_readme_has_twenty_lines():
    (service, *_) = [block.text for block in README.blocks if block.file_name == "services.py"]
    lines = [line for line in service.split("\n") if line.strip() and not line.startswith("#")]
    assert len(lines) <= 20


def test_the_permissions_of_the_redis_user_cover_every_command_of_a_script():
    scripts = "".join(path.read_text() for path in (ROOT / "atom/store/lua").glob("*.lua"))
    used = {name.lower() for name in re.findall(r"redis\.call\('([A-Z]+)'", scripts)}
    assert len(used) > 30
    assert used - permitted_commands() == set(), f"grant them in {PAGE}"


def options_of_a_service():
    """Whatever a service's author can write: options, fields, attributes."""
    declarations = (FlowService, FlowService.configuration_value, FlowService.message_action)
    declarations += (FlowService.data_action, FlowService.file_resource, Retry)
    for declaration in declarations:
        for name in inspect.signature(declaration).parameters:
            if name not in ("self", "name", "path"):
                yield name
    for declared in (DataAction, FileResource, Query, Execution, MemoryJournal, UploadedFile):
        for name, member in vars(declared).items():
            is_data = isinstance(member, property | MemberDescriptorType | cached_property)
            if name[0] != "_" and (is_data or callable(member)) and member.__doc__:
                yield name
    yield from vars(testing.execution())
    yield from [*fields.__all__, *atom.__all__]
    yield from inspect.signature(testing.execution).parameters


# Known to the machinery, and of no use to who writes a service.
INTERNAL = {"load", "processes", "rewind"}


def test_the_page_on_services_has_every_option():
    words = set(re.findall(r"\w+", PAGES["docs/services.md"].text))
    missing = {name for name in options_of_a_service() if name[0] != "_"} - words - INTERNAL
    assert missing == set()


def test_the_readme_leads_to_every_page_and_has_every_command():
    assert [name for name in PAGES if name != "README.md" and f"({name})" not in README.text] == []
    table = README.text.partition("## Commands")[2].partition("\n## ")[0]
    assert [name for name in main.commands if f"`atom {name}" not in table] == []


@each_page
def test_each_test_that_is_named_is_there(page):
    for promise in re.findall(r"`(tests/[^`]+::[^`]+)`", page.text):
        path, _, name = promise.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), promise


@each_page
def test_every_command_of_the_prose_is_there(page):
    wrong = []
    for code in page.inline_code:
        try:
            check_inline(code)
        except (AssertionError, click.ClickException) as error:
            wrong.append(f"{code}: {getattr(error, 'message', error)}")
    assert wrong == []


@each_page
def test_every_file_that_is_named_is_there(page):
    named = re.findall(rf"`((?:{FOLDERS})/[\w/.-]+)[`:]", page.text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@each_page
def test_every_link_leads_somewhere(page):
    folder = (ROOT / page.name).parent
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.prose):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", path):
            continue
        target = (folder / path).resolve() if path else ROOT / page.name
        known = PAGES.get(str(target.relative_to(ROOT)))
        if not target.exists() or (anchor and (known is None or anchor not in known.anchors)):
            wrong.append(link)
    assert wrong == []


@each_page
def test_every_metric_that_is_named_is_one(page):
    modules = [*(ROOT / "atom/metrics").glob("*.py"), ROOT / "atom/server/metrics.py"]
    source = "".join(path.read_text() for path in modules)
    named = set(re.findall(r"\batom_[a-z_]+[a-z]\b", " ".join(page.inline_code)))
    wrong = [
        name
        for name in named
        for base in [re.sub(r"_(total|count|sum|bucket)$", "", name)]
        if f'"{base}"' not in source and f'"{base.removeprefix("atom_")}"' not in source
    ]
    assert wrong == []


def test_every_alert_leads_to_its_place_in_troubleshooting():
    named = re.findall(
        r"(docs/[\w-]+\.md)#([\w-]+)", (ROOT / "deploy/prometheus/alerts.yml").read_text()
    )
    assert len(named) > 10
    assert [anchor for page, anchor in named if anchor not in PAGES[page].anchors] == []


def test_what_status_is_quoted_with_is_what_it_says():
    section = PAGES["docs/troubleshooting.md"].text.partition("## What `atom status` says")[2]
    quoted = re.findall(r"“([^”]+)”", section.partition("\n## ")[0])
    # Texts of the source that go on in the next line are one.
    source = re.sub(r'"\s*f?"', "", (ROOT / "atom/status.py").read_text())
    assert len(quoted) > 10
    assert [each for each in quoted if each not in source] == []


@each_page
def test_every_variable_that_is_named_is_one(page):
    known = VARIABLES
    # `ATOM_TLS_…` and `ATOM_TLS_*` mean those that begin so.
    named = set(re.findall(r"\bATOM_[A-Z_]+", page.text))
    wrong = [
        name
        for name in named
        if name not in known
        and not (name.endswith("_") and any(each.startswith(name) for each in known))
    ]
    assert wrong == []


def checklist():
    page = PAGES["docs/security.md"].text
    return page.partition("## Before it goes to production")[2].split("- [ ] ")[1:]


def test_the_checklist_of_security_names_what_a_proxy_passes_on():
    (matched,) = re.findall(r"@flow path (.+)", PAGES["docs/connecting.md"].text)
    (https,) = [item for item in checklist() if item.startswith("https in front")]
    assert [path for path in matched.split() if f"`{path.rstrip('*')}`" not in https] == []


def test_the_checklist_of_security_names_every_limit_that_is_off_by_default():
    off = {
        each.metadata["variable"]
        for each in dataclasses.fields(Settings)
        if each.default == 0 and each.name.endswith("per_second")
    }
    assert off
    assert [name for name in off if f"`{name}`" not in "".join(checklist())] == []


@each_page
def test_no_line_says_that_a_supported_broker_is_refused(page):
    for line in page.text.splitlines():
        if re.search("sentinel|rabbitmq|tls", line, re.IGNORECASE):
            assert "not supported" not in line


@each_page
def test_no_line_promises_that_what_may_repeat_runs_once(page):
    """Steps and executions may repeat; a record is written once, and a flow moves once."""
    wrong = re.compile(r"\bruns? once\b(?! more)")
    assert [line for line in page.text.splitlines() if wrong.search(line)] == []


def test_the_import_arrows_in_the_docs_name_every_module():
    (arrows,) = [each.text for each in BLOCKS if "errors, names, endpoints" in each.text]
    modules = {path.stem for path in (ROOT / "atom").iterdir() if path.name[0] not in "._"}
    modules -= {"py"}
    assert [name for name in sorted(modules) if name not in arrows] == []


@pytest.mark.parametrize(
    "path", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda p: p.name
)
def test_page_has_no_conflict_markers(path):
    markers = ("<<<<<<< ", ">>>>>>> ", "=======\n")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert [line for line in lines if line.startswith(markers)] == []
