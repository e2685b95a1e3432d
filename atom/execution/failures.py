"""Failures of user code: the text and the faults that are told of whatever it raised.

User code may raise anything, such as an exception whose `__str__` raises, or a Fault whose message
is a number. Nothing here raises because of that, and every text is free of known secrets.
"""

from collections.abc import Sequence
from typing import Any, Final

from atom.errors import AtomError, Fault
from atom.protocol.wire import PROBLEM_MESSAGE_LENGTH, sentence
from atom.redaction import redacted
from atom.text import full_name, simple_name, text_of

LONGEST_REASON: Final = PROBLEM_MESSAGE_LENGTH


def reason_of(error: Any) -> str:
    """Return the message of an exception, on one line of at most 500 characters."""
    return sentence(redacted(text_of(error)))


def described(error: BaseException) -> str:
    """Return the class and the message of an exception as the history shows them.

    The message is one line of at most 500 characters. The errors of the project are sentences of
    their own and come without their class.
    """
    message = reason_of(error)
    if issubclass(type(error), AtomError):
        return message
    kind = simple_name(type(error))
    return redacted(f"{kind}: {message}" if message else kind)


def kinds_of(kind: type[BaseException]) -> list[str]:
    """Return the full names of an exception class and its bases, as a journal records them."""
    return [full_name(base) for base in kind.__mro__ if issubclass(base, BaseException)]


def plain_faults(error: BaseException) -> Sequence[Fault]:
    """Return the faults of an exception as plain ones, with texts for their fields."""
    faults = _attribute(error, "faults")
    return [_plain(fault) for fault in faults] if isinstance(faults, tuple) else [_plain(error)]


def _plain(fault: Any) -> Fault:
    if not isinstance(fault, Fault):  # Faults takes whatever it is given
        return Fault(redacted(text_of(fault)))
    message, name, entry = (_attribute(fault, each) for each in ("message", "name", "entry"))
    plain = Fault(message, name, entry)
    place = None if plain.entry is None else redacted(plain.entry)
    return Fault(redacted(plain.message), redacted(plain.name), place)


def _attribute(error: BaseException, name: str) -> Any:
    """Return an attribute that a subclass may have forgotten or turned into a property."""
    try:
        return getattr(error, name)
    except Exception:
        return None
