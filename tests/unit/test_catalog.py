"""Finding services, and each way in which that can go wrong."""

import sys

import pytest

from atom.catalog import load_catalog, load_what_loads
from atom.errors import CatalogError, DeclarationError, NotFound

SERVICE = "from atom import FlowService\n{name} = FlowService('{name}')\n"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the working directory; returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = []

    def make(text: str) -> str:
        name = f"catalog_module_{tmp_path.name.replace('-', '_')}_{len(made)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


def test_a_module_gives_all_its_services_and_an_attribute_one(module):
    both = module(SERVICE.format(name="One") + SERVICE.format(name="Two"))
    assert set(load_catalog([both]).services) == {"One", "Two"}
    assert set(load_catalog([f"{both}:Two"]).services) == {"Two"}
    assert set(load_catalog([both, f" {both}:Two"]).services) == {"One", "Two"}


def test_a_served_service_is_complete(module):
    name = module(SERVICE.format(name="Done"))
    service = load_catalog([name]).service("Done")
    with pytest.raises(DeclarationError, match="served"):
        service.message_action("Late")(lambda request, execution: None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "declares no FlowService"),
        ("import not_to_be_found_anywhere", "not_to_be_found_anywhere, which is not installed"),
        ("1/0", "ZeroDivisionError"),
        ("x = (", "SyntaxError"),
        ("import sys; sys.exit('config missing')", "SystemExit: config missing"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--x'])", "SystemExit: 2"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise GeneratorExit('closed')", "GeneratorExit: closed"),
        ("from atom import FlowService; FlowService('a b')", "path segment"),
        (SERVICE.format(name="A") + "B = FlowService('A')", "Two services are named “A”"),
    ],
)
def test_a_module_that_does_not_load_is_named_with_the_reason(module, text, says):
    name = module(text)
    with pytest.raises(CatalogError, match=says) as refused:
        load_catalog([name])
    assert name in str(refused.value) or "Two services" in says
    assert load_what_loads([name]).failures.keys() == {name}


def test_interrupt_during_an_import_is_passed_on(module):
    with pytest.raises(KeyboardInterrupt):
        load_catalog([module("raise KeyboardInterrupt")])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "declares no FlowService"),
        ("1/0", "ZeroDivisionError"),
        ("import sys; sys.exit(1)", "SystemExit: 1"),
        ("import not_to_be_found_anywhere", "needs not_to_be_found_anywhere"),
    ],
)
def test_installed_package_is_named_instead_of_the_setting(module, tmp_path, text, says):
    reference = module(text)
    information = tmp_path / "crm_services-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-services\nVersion: 1\n")
    (information / "entry_points.txt").write_text(f"[atom.services]\ncrm = {reference}\n")
    with pytest.raises(CatalogError, match=says) as refused:
        load_catalog([])
    assert "Installed package crm-services (entry point “crm”" in str(refused.value)
    assert "ATOM_SERVICES" not in str(refused.value)


@pytest.mark.parametrize("reference", ["no_such_module_here", "no_such.package", ".relative", ":x"])
def test_a_module_that_is_not_there(reference):
    with pytest.raises(CatalogError, match="ATOM_SERVICES"):
        load_catalog([reference])


def test_an_attribute_that_is_no_service():
    with pytest.raises(CatalogError, match="json:dumps is not a FlowService"):
        load_catalog(["json:dumps"])


def test_no_service_at_all():
    with pytest.raises(CatalogError, match="ATOM_SERVICES"):
        load_catalog([])


def test_lookups_name_what_is_missing(module):
    catalog = load_catalog([module(SERVICE.format(name="One"))])
    with pytest.raises(NotFound, match="“Nix”"):
        catalog.service("Nix")
    with pytest.raises(NotFound, match="“One” has no action “Nix”"):
        catalog.process("One", "Nix")
