"""Error replies of Redis: their codes, and what an operator can do about each."""

import re
from typing import Final

_REMEDIES: Final = {
    "NOREPLICAS": "Start or repair its replicas, or lower min-replicas-to-write.",
    "READONLY": "It is a replica: wait for the end of a failover, or name the primary in the URL.",
    "MASTERDOWN": "It is a replica without its primary: bring that back, or name another server.",
    "OOM": "Raise its maxmemory, or lower ATOM_RETENTION_DAYS.",
    "MISCONF": "Look at its log, and at the room on its disk.",
    "LOADING": "It reads its data from disk: wait.",
    "BUSY": "A script takes too long: wait, or end it with SCRIPT KILL.",
    "NOPERM": "Grant its user the permissions that docs/operating.md lists.",
    "NOAUTH": "Give user and password in the URL, and start the role again.",
    "WRONGPASS": "Correct user and password in the URL, and start the role again.",
}
# Replies of the code ERR, by what they contain.
_RENAMED: Final = (
    "It was renamed or disabled; docs/operating.md lists the commands that are needed."
)
_REMEDIES_BY_TEXT: Final = {
    "unknown command": _RENAMED,
    "Unknown Redis command": _RENAMED,
    "ACL failure in script": _REMEDIES["NOPERM"],
    "The user executing the script can't": _REMEDIES["NOPERM"],
}
# The script and its line are of no use to an operator, and the arguments may be secrets.
_NOISE: Final = re.compile(r",? (?:script: [0-9a-f]{40}, on @user_script.*|with args beginning .*)")


def reply_of(error: Exception) -> tuple[str, str]:
    """Return the code and the text of an error reply.

    The driver strips the codes that it knows from the text and leaves others in it. In a pipeline
    it puts the command before the text.

    Args:
        error: of the driver; the code is empty if it is no error reply.
    """
    text = _NOISE.sub("", str(error).rpartition(" of pipeline caused error: ")[2]).rstrip(". ")
    code = getattr(error, "status_code", None)
    if code:
        return code, text
    first, _, rest = text.partition(" ")
    return (first, rest) if re.fullmatch(r"-?[A-Z]{2,}", first) else ("", text)


def explained(error: Exception) -> str:
    """Return what an error says as sentences: the reply with its code, and the remedy."""
    code, text = reply_of(error)
    sentence = f"{code} {text}".strip()
    by_text = (remedy for part, remedy in _REMEDIES_BY_TEXT.items() if part in text)
    remedy = _REMEDIES.get(code.removeprefix("-")) or next(by_text, "")
    return f"{sentence}. {remedy}".strip()
