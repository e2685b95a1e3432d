"""`atom check --against`: what a deploy changes for flows that use the services now."""

import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import click

from atom.catalog import Catalog
from atom.cli.installed_metadata import MetadataUnavailable, read_installed
from atom.cli.output import print_json
from atom.protocol.compatibility import Change, ChangeKind, Subject, compare_metadata
from atom.protocol.installed import ServiceMetadata, read_metadata
from atom.redaction import masked_url


def check(
    catalog: Catalog,
    source: str,
    service: str | None,
    authorization: str | None,
    *,
    as_json: bool,
) -> None:
    """Print the changes of each service; the exit code is 1 if one of them breaks a flow.

    Args:
        catalog: the services that would be deployed.
        source: the URL of a listener or of a service, or a file.
        service: the only service to compare.
        authorization: sent to a listener.
        as_json: print one JSON document.

    Raises:
        AtomError: the installed metadata cannot be read.
    """
    changes = _changes(catalog, source, service, authorization)
    is_broken = any(change.breaks for each in changes.values() for change in each)
    if as_json:
        services = {name: [_document(each) for each in found] for name, found in changes.items()}
        print_json({"against": masked_url(source), "breaks": is_broken, "services": services})
    else:
        _print(changes, masked_url(source))
    if is_broken:
        sys.exit(1)


def _changes(
    catalog: Catalog, source: str, service: str | None, authorization: str | None
) -> dict[str, list[Change]]:
    """Return the changes of every compared service, by its name."""
    wanted = list(catalog.services) if service is None else [service]
    installed = read_installed(source, wanted, authorization)
    names = list(installed.services)
    if service is not None:
        if service not in installed.services:
            raise MetadataUnavailable(
                f"{masked_url(source)} does not have the service “{service}”; it has: "
                f"{', '.join(installed.services) or 'none of those declared here'}."
            )
        names = [service]
    elif installed.is_whole_atom:
        names = list(dict.fromkeys([*installed.services, *catalog.services]))
    return {name: _changes_of(name, catalog, installed.services.get(name)) for name in names}


def _changes_of(name: str, catalog: Catalog, installed: ServiceMetadata | None) -> list[Change]:
    if installed is None:
        return [Change(subject=Subject.SERVICE, kind=ChangeKind.ADDED, name=name)]
    if name not in catalog.services:
        return [Change(subject=Subject.SERVICE, kind=ChangeKind.REMOVED, name=name)]
    return compare_metadata(installed, read_metadata(catalog.services[name].describe()))


def _document(change: Change) -> dict[str, Any]:
    return {
        "subject": change.subject,
        "change": change.kind,
        "name": change.name,
        "action": change.action,
        "type": change.type_name,
        "old": change.old,
        "new": change.new,
        "renamed_to": change.renamed_to,
        "breaks": change.breaks,
        "message": change.message,
    }


def _print(changes: Mapping[str, Iterable[Change]], source: str) -> None:
    """Print the changes by service and action, those that break flows first."""
    counts = {True: 0, False: 0}
    for name, found in changes.items():
        click.echo(f"\n{name}")
        if not found:
            click.echo("  No changes for flows.")
        for group, members in groupby(sorted(found, key=_order), key=_group):
            click.echo(f"  {group}")
            for change in members:
                counts[change.breaks] += 1
                label = "breaks" if change.breaks else "compatible"
                click.echo(f"    {label:<10}  {change.message}")
    click.echo(
        f"\nCompared with {source}: {counts[True]} breaking and {counts[False]} compatible "
        "change(s)."
    )


def _group(change: Change) -> str:
    if change.action is not None:
        return f"Action {change.action}"
    if change.subject in (Subject.DATA_ACTION, Subject.TYPE, Subject.PROPERTY):
        return f"Type {change.type_name or change.name}"
    if change.subject is Subject.CONFIGURATION_VALUE:
        return "Configuration"
    return "Service"


def _order(change: Change) -> tuple[str, bool]:
    return _group(change), not change.breaks
