"""Where a callback may go."""

from collections.abc import Collection
from urllib.parse import urlsplit

from atom.errors import InvalidRequest
from atom.settings import is_loopback


def check_callback_uri(uri: str, allowed_hosts: Collection[str]) -> None:
    """Refuse a callbackUri that leads anywhere but to a flow platform.

    https to an allowed host, or plain http to an allowed loopback one; an allowed host without a
    port allows every port.

    Raises:
        InvalidRequest: saying what is wrong with it.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise InvalidRequest("callbackUri is not a valid URL.") from None
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or not uri.isascii() or " " in uri:
        raise InvalidRequest("callbackUri must be an absolute https URL.")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("callbackUri may not carry credentials.")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidRequest("callbackUri must be https (plain http is for loopback hosts only).")
    port = port or (443 if parts.scheme == "https" else 80)
    if not {host, f"{host}:{port}"} & {each.lower() for each in allowed_hosts}:
        raise InvalidRequest(
            f"callbackUri: callbacks to {host}:{port} are not allowed here; the operator allows a "
            "host by naming it in ATOM_CALLBACK_HOSTS."
        )
