"""The size of a value, checked before a large one is sent."""

from collections.abc import Sequence
from typing import Any, Final

import redis

from atom.errors import ValueTooLarge

# The limit of Redis (proto-max-bulk-len) cannot be lower; it is 512 MiB unless it is set.
_ALWAYS_TAKEN: Final = 1_048_576
# Redis checks a length as soon as it reads it, before the value, and before it answers the PING.
_QUESTION: Final = b"PING\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n"


def check_sizes(pool: Any, arguments: Sequence[Any]) -> None:
    """Refuse values that Redis does not take; it would close the connection in the midst of them.

    The server is asked, by the beginning of a command: its configuration may be closed to us.

    Raises:
        ValueTooLarge: one is larger than Redis takes.
        redis.RedisError: Redis does not answer.
    """
    largest = max((len(each) for each in arguments if isinstance(each, bytes)), default=0)
    if largest > _ALWAYS_TAKEN and not _is_taken(pool, largest):
        raise ValueTooLarge(largest)


def _is_taken(pool: Any, size: int) -> bool:
    connection = pool.get_connection()
    try:
        connection.send_packed_command([_QUESTION % size])
        connection.read_response()
        if connection.can_read():  # an error; to a length that it takes Redis says nothing
            connection.read_response()
    except redis.ResponseError:
        return False
    finally:
        connection.disconnect()  # the rest of the command would be expected
        pool.release(connection)
    return True
