"""The metadata of services as flow platforms installed it: from a listener, or from a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import orjson

from atom.errors import AtomError, InvalidRequest, MalformedRequest
from atom.flow.transport import Reply, Transport, TransportError
from atom.protocol.installed import ServiceMetadata, read_metadata
from atom.protocol.problems import PROBLEM_KIND_HEADER
from atom.protocol.wire import parse_json, sentence
from atom.redaction import masked_url

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
# The URL of one service, as it is set on a connector, or of its metadata.
_SERVICE_PATH: Final = re.compile(
    r"(?P<root>.*)/fs/(?P<service>[^/]+)(?:/metadata(?:/install)?)?/?"
)


class MetadataUnavailable(AtomError):
    """The installed metadata cannot be read; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Metadata by the names of the services."""

    services: Mapping[str, ServiceMetadata]
    is_whole_atom: bool
    """Return whether the source stands for a whole Atom, not for one service."""


def read_installed(source: str, names: Sequence[str], authorization: str | None) -> Installed:
    """Read metadata from the URL of an Atom, the URL of one service, or a file.

    Args:
        source: an http or https URL, or the path of a file.
        names: the services to read from the URL of an Atom, which cannot list its services; one
            of them names the service of a file that holds a single DescribeServiceResponse.
        authorization: the header that a listener is sent.

    Raises:
        MetadataUnavailable: there is no such metadata.
    """
    if not _URL.match(source):
        return _from_file(Path(source), names)
    transport = Transport()
    try:
        return _from_listener(_Listener(transport, authorization), source, names)
    finally:
        transport.close()


# --- from a file


def _from_file(path: Path, names: Sequence[str]) -> Installed:
    try:
        document = parse_json(path.read_bytes())
    except OSError as error:
        raise MetadataUnavailable(
            f"{path} cannot be read: {error.strerror}. Give a URL that begins with https://, or a "
            "file saved by `atom services --json`."
        ) from None
    except MalformedRequest as error:
        raise MetadataUnavailable(f"{path} is not metadata: {error}") from None
    if not isinstance(document, dict) or not document:
        raise MetadataUnavailable(f"{path} is not metadata; `atom services --json` writes it.")
    if "actions" not in document or isinstance(document["actions"], dict):
        services = {name: _read(each, f"{path}, {name}") for name, each in document.items()}
        return Installed(services, is_whole_atom=True)
    if len(names) != 1:
        raise MetadataUnavailable(
            f"{path} holds the metadata of one service, without its name: add --service NAME. "
            f"There are: {', '.join(names)}."
        )
    return Installed({names[0]: _read(document, str(path))}, is_whole_atom=False)


def _read(document: Any, where: str) -> ServiceMetadata:
    try:
        return read_metadata(document)
    except InvalidRequest as error:
        raise MetadataUnavailable(f"{where} is not metadata: {error}") from None


# --- from a listener


def _from_listener(listener: "_Listener", url: str, names: Sequence[str]) -> Installed:
    parts = urlsplit(url)
    one = _SERVICE_PATH.fullmatch(parts.path)
    root = parts._replace(path=one["root"] if one else parts.path, query="", fragment="")
    base = root.geturl().rstrip("/").removesuffix("/fs")
    if one:
        name = unquote(one["service"])
        metadata = listener.metadata(base, name)
        if metadata is None:
            raise MetadataUnavailable(f"There is no service “{name}” at {masked_url(base)}.")
        return Installed({name: metadata}, is_whole_atom=False)
    read = {name: listener.metadata(base, name) for name in names}
    services = {name: each for name, each in read.items() if each is not None}
    if not services:
        raise MetadataUnavailable(
            f"The Atom at {masked_url(base)} has none of the services {', '.join(names)}: check "
            "the URL."
        )
    return Installed(services, is_whole_atom=True)


class _Listener:
    """The metadata endpoints of a listener."""

    def __init__(self, transport: Transport, authorization: str | None) -> None:
        self._transport = transport
        self._headers = {} if authorization is None else {"Authorization": authorization}

    def metadata(self, base: str, service: str) -> ServiceMetadata | None:
        """Return the metadata of a service; None if the Atom does not have it.

        Raises:
            MetadataUnavailable: the listener does not answer with metadata.
        """
        url = f"{base}/fs/{quote(service, safe='')}/metadata"
        shown = masked_url(url)
        try:
            reply = self._transport.post_json(url, b"{}", self._headers)
        except TransportError as error:
            raise MetadataUnavailable(
                f"{shown} cannot be read: {error}.{_remedy(error)}"
            ) from error
        if reply.status == 404 and _is_problem(reply):
            return None
        if reply.status != 200:
            raise MetadataUnavailable(self._refusal(shown, reply))
        try:
            document = orjson.loads(reply.body)
        except ValueError:
            raise MetadataUnavailable(_no_listener(shown, reply)) from None
        return _read(document, shown)

    def _refusal(self, shown: str, reply: Reply) -> str:
        message = _message(reply)
        match reply.status:
            case 401 if not self._headers:
                return f"{shown} asks for a credential: set ATOM_CREDENTIAL to NAME:TOKEN."
            case 401:
                return f"{shown} refuses the credential: check ATOM_CREDENTIAL."
            case 403:
                return (
                    f"{shown} refuses the credential for this service: use another one in "
                    "ATOM_CREDENTIAL, or compare one service at a time with --service."
                )
            case status if 300 <= status < 400:
                location = _header(reply, "Location")
                return f"{shown} redirects to {masked_url(location) or 'nowhere'}: use that URL."
        if message:
            return f"{shown} answered {reply.status}: {message}"
        return _no_listener(shown, reply)


def _remedy(error: TransportError) -> str:
    """Return what helps beside another URL, with a space before it."""
    if "TLS" not in error.reason:
        return ""
    return (
        " If its certificate is of a private authority, set SSL_CERT_FILE to the certificate of "
        "that authority. If it asks for a client certificate, save the metadata with curl and "
        "compare with the file."
    )


def _no_listener(shown: str, reply: Reply) -> str:
    kind = _header(reply, "Content-Type").partition(";")[0] or "no content type"
    return (
        f"{shown} answered {reply.status} with {sentence(kind)} instead of metadata: check that "
        "the URL leads to the listener of an Atom."
    )


def _is_problem(reply: Reply) -> bool:
    return bool(_header(reply, PROBLEM_KIND_HEADER))


def _message(reply: Reply) -> str:
    """Return the message of a ServiceProblem, and an empty text for any other answer."""
    try:
        message = orjson.loads(reply.body)["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return sentence(str(message))


def _header(reply: Reply, name: str) -> str:
    """Return a header field, whatever the case of its name."""
    found = (value for key, value in reply.headers.items() if key.lower() == name.lower())
    return next(found, "")
