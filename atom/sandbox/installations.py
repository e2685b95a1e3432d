"""The services that are installed in a sandbox: metadata, credentials and configuration values.

With a database and a secret key they outlive a restart. Without a key only the metadata does, and
the names of what has to be set again.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from atom.sandbox.database import SandboxDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One service. A credential or value may be set before the service is installed."""

    description: Mapping[str, Any] | None = None
    authorization: str | None = field(default=None, repr=False)
    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_lost_credential: bool = False
    lost_values: frozenset[str] = frozenset()
    """Names of configuration values that were set, but are not readable after a restart."""

    @property
    def names(self) -> list[str]:
        """The names of the configuration values that were set, lost ones too."""
        return sorted({*self.configuration, *self.lost_values})


_NOTHING: Final = Installation()


class Installations:
    """The installed services by URL, in memory and in a database if there is one. Safe to share.

    A change is in the database before it is visible.
    """

    def __init__(self, database: SandboxDatabase | None = None) -> None:
        self._database = database
        self._by_url: dict[str, Installation] = {}
        self._lock = threading.Lock()
        for url, document, secrets in database.services() if database else ():
            self._by_url[url] = installation = _restored(document, secrets)
            if secrets is not None:
                self._save(url, installation)  # with the newest key

    def get(self, url: str) -> Installation:
        """Return the service at a URL, an empty one if it is unknown."""
        return self._by_url.get(url, _NOTHING)

    def installed(self) -> dict[str, Installation]:
        """Return the services whose metadata is known, by URL."""
        with self._lock:
            return {url: each for url, each in self._by_url.items() if each.description is not None}

    def install(self, url: str, description: Mapping[str, Any], *, needs_credential: bool) -> None:
        """Keep the metadata of a service.

        Args:
            url: of the service.
            description: its DescribeServiceResponse.
            needs_credential: whether the service was asked with a credential. If it answers
                without one, a lost credential is not needed.

        Raises:
            SandboxError: the database cannot be written.
        """
        with self._lock:
            now = self.get(url)
            lost = now.has_lost_credential and needs_credential
            self._change(url, replace(now, description=description, has_lost_credential=lost))

    def remember(self, url: str, authorization: str) -> None:
        """Keep the credential of a service; raises SandboxError."""
        with self._lock:
            now = self.get(url)
            self._change(url, replace(now, authorization=authorization, has_lost_credential=False))

    def configure(self, url: str, values: Mapping[str, str]) -> None:
        """Keep configuration values; an empty text removes one. Raises SandboxError."""
        with self._lock:
            now = self.get(url)
            merged = {**now.configuration, **values}
            self._change(
                url,
                replace(
                    now,
                    configuration={name: text for name, text in merged.items() if text},
                    lost_values=now.lost_values - values.keys(),
                ),
            )

    def _change(self, url: str, installation: Installation) -> None:
        now = self._by_url.get(url)
        if installation != now:
            self._save(url, installation, has_new_secrets=_secrets(installation) != _secrets(now))
            self._by_url[url] = installation

    def _save(self, url: str, installation: Installation, *, has_new_secrets: bool = True) -> None:
        if self._database is None:
            return
        document = {
            "description": installation.description,
            "has_credential": (
                installation.authorization is not None or installation.has_lost_credential
            ),
            "names": installation.names,
        }
        secrets = _secrets(installation) if has_new_secrets else None
        self._database.save_service(url, document, secrets)


def _secrets(installation: Installation | None) -> dict[str, Any]:
    each = installation or _NOTHING
    return {"authorization": each.authorization, "configuration": each.configuration}


def _restored(document: Mapping[str, Any], secrets: Mapping[str, Any] | None) -> Installation:
    """Return an installation from the database; without its secrets these are lost."""
    authorization = secrets["authorization"] if secrets else None
    readable = secrets["configuration"] if secrets else {}
    # A value may have been removed while it was not readable.
    configuration = {name: text for name, text in readable.items() if name in document["names"]}
    return Installation(
        description=document["description"],
        authorization=authorization,
        configuration=configuration,
        has_lost_credential=document["has_credential"] and authorization is None,
        lost_values=frozenset(document["names"]) - configuration.keys(),
    )
