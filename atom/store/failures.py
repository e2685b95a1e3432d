"""Classification of Redis errors: passing, forbidden, or permanent for the value at hand."""

from typing import Final

import redis

from atom.errors import (
    AtomError,
    RequestTooLarge,
    StoreForbidden,
    StoreRefused,
    StoreUnanswered,
    StoreUnavailable,
    Unavailable,
    ValueTooLarge,
)
from atom.records import NewExecution
from atom.redis_replies import explained, reply_of

# The user may not run the command, or the server does not have it (renamed, or switched off). The
# second group is what Redis says from within a script.
_FORBIDDEN_CODES: Final = ("NOPERM", "NOAUTH", "WRONGPASS", "DENIED")
_FORBIDDEN_TEXTS: Final = (
    "unknown command",
    "ACL failure in script",
    "The user executing the script can't",
    "Unknown Redis command called from script",
    "This Redis command is not allowed from script",
)
# Redis answers these for the same command on every day: the value or the script is wrong.
# NOSCRIPT is passing: Redis was restarted after the driver had loaded the script, for a pipeline.
_PERMANENT_CODES: Final = ("ERR", "WRONGTYPE", "CROSSSLOT")
# Exceptions to that: ERR is also the code of some passing states.
_PASSING_TEXTS: Final = (
    "Script killed by user",
    "max number of clients",
    "Redis is loading",
    "-READONLY",  # Redis 6 reports the error of a command within a script in this way
    "-NOREPLICAS",
    "-OOM",
    "-MISCONF",
    "-MASTERDOWN",
)


def translated(error: redis.RedisError, server: str) -> AtomError:
    """Return the error of this project for one of the driver.

    - StoreUnavailable: a passing state (no connection, no reply, LOADING, READONLY, NOREPLICAS,
      MASTERDOWN, MISCONF, OOM, BUSY, NOSCRIPT, a failover). The same command may succeed later.
    - StoreForbidden, a StoreUnavailable: the Redis user lacks a permission, or is not known. An
      operator has to change that; until then a role waits and reports it.
    - StoreRefused: Redis refuses this value or command, and always will.

    An error with an unknown code counts as passing: waiting loses nothing.

    Args:
        error: as the driver raised it.
        server: the masked URL, for the sentence.
    """
    code, text = reply_of(error)
    sentences = explained(error)
    if _is_forbidden(error, code, text):
        return StoreForbidden(
            f"Redis at {server} does not permit what flow-atom asks for: {sentences}"
        )
    if _is_permanent(error, code, text):
        return StoreRefused(f"Redis at {server} refuses a value or a command: {sentences}")
    return StoreUnavailable(f"Redis at {server} does not answer as it should: {sentences}")


def not_accepted(
    new: NewExecution, error: StoreUnavailable | ValueTooLarge
) -> Unavailable | RequestTooLarge:
    """Return the answer to a caller whose execution the store did not confirm.

    Only if it was certainly not stored, and never will be, the answer says that nothing was
    started.
    """
    if isinstance(error, ValueTooLarge):
        return RequestTooLarge(f"The request cannot be stored; nothing was started. {error}")
    if not isinstance(error, StoreUnanswered):
        return Unavailable("The execution could not be stored; nothing was started. Try again.")
    if new.token:
        advice = "Send the same request again: it is run once."
    else:
        advice = f"Look for execution {new.id} in the history before you send it again."
    return Unavailable(
        "The store did not confirm in time that the execution is stored. Either it is stored "
        f"already, or it never will be. {advice}"
    )


def _is_forbidden(error: redis.RedisError, code: str, text: str) -> bool:
    if isinstance(error, redis.AuthenticationError | redis.AuthenticationWrongNumberOfArgsError):
        return True
    return code in _FORBIDDEN_CODES or any(each in text for each in _FORBIDDEN_TEXTS)


def _is_permanent(error: redis.RedisError, code: str, text: str) -> bool:
    if any(each in text for each in _PASSING_TEXTS):
        return False
    if isinstance(error, redis.DataError):
        return True  # the driver has no way to send it
    return code in _PERMANENT_CODES
