"""A request of the history as a command that sends it again."""

import shlex
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

# A longer one is no line to paste into a shell.
_LONGEST: Final = 100_000
_OPERATIONS: Final = {
    "get": ("POST", "data"),
    "query": ("POST", "data"),
    "save": ("PUT", "data"),
    "delete": ("POST", "data/delete"),
}


def curl(listener_url: str, service: str, action: str, request: Mapping[str, Any]) -> str:
    """The command; empty for what one command cannot send, as a file or a very long document.

    No secret is in it: of the request there is only its masked copy, and the flow's token and the
    connector's credential are variables of the shell.
    """
    method, path = _address(action)
    if not path:
        return ""
    if len(body := _body(request)) > _LONGEST:
        return ""
    url = f"{listener_url}/fs/{quote(service, safe='')}/{path}"
    return " \\\n  ".join(
        (
            f"curl --request {method} {shlex.quote(url)}",
            '--user "$ATOM_CREDENTIAL"',
            "--header 'Content-Type: application/json'",
            f"--data-raw {body}",
        )
    )


def _body(request: Mapping[str, Any]) -> str:
    """The request as a word of the shell, with the token as the shell has it."""
    rest = {name: value for name, value in request.items() if name != "token"}
    written = orjson.dumps(rest).decode()
    if len(rest) == len(request):
        return shlex.quote(written)
    # The variable stands outside the quotes, so that the shell puts its value there.
    follows = f'",{written[1:]}' if rest else '"}'
    return "".join((shlex.quote('{"token":"'), '"$FLOW_TOKEN"', shlex.quote(follows)))


def _address(action: str) -> tuple[str, str]:
    """Method and path below the service; an empty path for what takes a file."""
    if action.startswith("/"):
        return "POST", ""
    name, _, operation = action.rpartition(".")
    if name and operation in _OPERATIONS:
        return _OPERATIONS[operation]
    return "POST", f"actions/{quote(action)}"
