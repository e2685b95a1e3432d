"""Every queue, task and key name, in one place."""

import hashlib
from typing import Final
from uuid import UUID, uuid5

PROCESSES: Final = "processes"
CALLBACKS: Final = "callbacks"

# Roles that consume no queue announce themselves by these.
RECOVERY: Final = "recovery"
LISTENER: Final = "listener"
CONSOLE: Final = "console"
FLOWER: Final = "flower"
SANDBOX: Final = "sandbox"

DELIVER_TASK: Final = "atom.deliver"

KEY_PREFIX: Final = "atom:"

# The namespace of the ids of children: it may never change.
_CHILDREN: Final = UUID("5d0f6f4e-0c0e-4b0b-9a55-3f6f6b1c7c1d")

# Sorted sets of execution ids; the score is a time in milliseconds.
ACCEPTED: Final = KEY_PREFIX + "accepted"  # when to publish again, unless started by then
SCHEDULED: Final = KEY_PREFIX + "scheduled"  # when to publish: a retry, or what a person restarts
SUSPENDED: Final = KEY_PREFIX + "suspended"  # when to wake; "+inf": at an event only
LEASES: Final = KEY_PREFIX + "leases"  # when the holder's lease ends
DEADLINES: Final = KEY_PREFIX + "deadlines"  # when the execution times out
CALLBACKS_DUE: Final = KEY_PREFIX + "callbacks"  # when the next try of its callback is due
WOKEN: Final = CALLBACKS_DUE + ":woken"  # no set: there while a wake-up for them is on its way
ATTENDED: Final = CALLBACKS_DUE + ":attended"  # there while somebody is about to look for them
PARKED: Final = KEY_PREFIX + "parked"  # when its callback was parked
FAILED: Final = KEY_PREFIX + "failed"  # when it failed or timed out; until somebody saw to it
HISTORY: Final = KEY_PREFIX + "history"  # when it was accepted

# Scripts complete this one with the minute since 1970: a hash of what happened in it → how often
# (`accepted`, and each final state). Kept for two hours.
MINUTES: Final = KEY_PREFIX + "minutes"

# Every process, as `<Service>.<Action>`, and every tenant that the history knows.
KNOWN_PROCESSES: Final = HISTORY + ":processes"
KNOWN_TENANTS: Final = HISTORY + ":tenants"

# A sorted set of `<flow state id> <execution id>`, all with score 0: in their own order. A copy of
# an execution without a flow state has the id of its origin instead.
FLOW_STATES: Final = HISTORY + ":flow-states"

# How many of the oldest in HISTORY were looked at and have to stay: trimming goes on behind them.
PASSED_BY: Final = HISTORY + ":passed-by"

# Where the last look for executions that can go to the history database ended: a hash of an id and
# its place in HISTORY.
LOOKED_AT: Final = HISTORY + ":looked-at"

# The set of executions that may be here and in the history database: copied and not removed yet,
# or brought back.
IN_BOTH: Final = HISTORY + ":in-both"

# A hash of target (`*`, `<service>` or `<service>.<action>`) → when it was paused.
PAUSED: Final = KEY_PREFIX + "paused"

# The set of the queues that were ever used; beside it, as `…:<queue>`, what waits in each: a sorted
# set of execution ids by when they began to wait, which may be yet to come.
WAITING: Final = KEY_PREFIX + "waiting"

# Whose turn it is, of those that wait; see `lua/_turns.lua`. Scripts complete these keys.
OUT: Final = KEY_PREFIX + "out"  # `:<queue>\0<tenant>`: the set of those whose message is out
WINDOWS: Final = KEY_PREFIX + "windows"  # a hash of queue → how many of each tenant may be out
BACKLOGS: Final = KEY_PREFIX + "backlogs"  # the set of `<queue>\0<tenant>`; `:…`: ids by their rank
# The set of the processes that have a line; `:<process>`: its tenants by their turn;
# `:<process>\0<tenant>`: ids by their rank.
LINES: Final = KEY_PREFIX + "lines"
PLACES: Final = KEY_PREFIX + "places"  # `:<process>`: the set of those that run
CALLED: Final = KEY_PREFIX + "called"  # `:<process>`: the set of those that a place is kept for
LEAVING: Final = KEY_PREFIX + "leaving"  # `:<process>`: `<id> <fence>` by when its place is free
RATES: Final = KEY_PREFIX + "rate"  # `:<tenant or service>:<name>`: when its requests are paid for

# A hash: the latest time that recovery saw of Redis's clock, and the latest change of that clock.
CLOCK: Final = KEY_PREFIX + "clock"

# What is written to see whether Redis takes writes.
PROBE: Final = KEY_PREFIX + "probe"

# A sorted set of `<role>\0<instance>` by when that presence is over.
PRESENCES: Final = KEY_PREFIX + "presences"
_PRESENCE_PREFIX: Final = KEY_PREFIX + "presence:"

# A sorted set of hosts by when their circuit closes.
CIRCUITS: Final = KEY_PREFIX + "circuits"

# A sorted set of held executions, whose journal did not fit the code of a worker, by the time of
# the first try.
HELD_EXECUTIONS: Final = KEY_PREFIX + "held"

# A sorted set of executions whose children are to be kept for as long as they (in ms, 0: no end).
FAMILIES: Final = KEY_PREFIX + "families"
# A prefix: the reply of a script that was just run, by the call.
CALLS: Final = KEY_PREFIX + "calls"

# A hash of what was done → how often.
COUNTERS: Final = KEY_PREFIX + "counters"

# A hash of name → what is known of a caller.
CREDENTIALS: Final = KEY_PREFIX + "credentials"

# Scripts complete this one with `<tenant>:<state>`: the lock that makes the callbacks of one flow
# state go one at a time, and (`…:waiting`) the set of executions that wait for it.
FLOW_STATE_PREFIX: Final = KEY_PREFIX + "flow-state:"

# Scripts complete this one with the host (and port) of a callbackUri: the circuit breaker of that
# host, a hash of its failures in a row and until when nothing is sent to it.
CIRCUIT_PREFIX: Final = KEY_PREFIX + "circuit:"

EXECUTION_PREFIX: Final = KEY_PREFIX + "execution:"


# What scripts call the keys that are always the same.
SCRIPT_KEYS: Final = {
    "ACCEPTED": ACCEPTED,
    "SCHEDULED": SCHEDULED,
    "SUSPENDED": SUSPENDED,
    "HELD_EXECUTIONS": HELD_EXECUTIONS,
    "LEASES": LEASES,
    "DEADLINES": DEADLINES,
    "CALLBACKS": CALLBACKS_DUE,
    "WOKEN": WOKEN,
    "ATTENDED": ATTENDED,
    "PARKED": PARKED,
    "FAILED": FAILED,
    "HISTORY": HISTORY,
    "PASSED_BY": PASSED_BY,
    "LOOKED_AT": LOOKED_AT,
    "IN_BOTH": IN_BOTH,
    "WAITING": WAITING,
    "OUT": OUT,
    "WINDOWS": WINDOWS,
    "BACKLOGS": BACKLOGS,
    "LINES": LINES,
    "CALLED": CALLED,
    "PLACES": PLACES,
    "LEAVING": LEAVING,
    "RATES": RATES,
    "CLOCK": CLOCK,
    "PRESENCES": PRESENCES,
    "PRESENCE_PREFIX": _PRESENCE_PREFIX,
    "CALLS": CALLS,
    "FAMILIES": FAMILIES,
    "COUNTERS": COUNTERS,
    "MINUTES": MINUTES,
    "PAUSED": PAUSED,
    "CIRCUITS": CIRCUITS,
    "CIRCUIT_PREFIX": CIRCUIT_PREFIX,
    "FLOW_STATE_PREFIX": FLOW_STATE_PREFIX,
    "EXECUTION_PREFIX": EXECUTION_PREFIX,
}


def process_task(service: str, action: str) -> str:
    """The Celery task of a process; Flower, events and routing read like the service."""
    return f"{service}.{action}"


def callback_task_id(execution_id: str) -> str:
    """The Celery task id of a callback, readable beside its execution in Flower."""
    return f"{execution_id}.callback"


def execution_key(execution_id: str) -> str:
    """Return the key of the hash that holds one execution.

    An id from outside such as `<id>:documents` must not name a key beside an execution's own.
    """
    return f"{EXECUTION_PREFIX}{execution_id.replace(':', '%3A')}"


def documents_key(execution_id: str) -> str:
    """What may be long or secret of one execution, and its request and response: a hash."""
    return f"{execution_key(execution_id)}:documents"


def steps_key(execution_id: str) -> str:
    """Return the key of a journal: a hash of the number of a record → recorded entry."""
    return f"{execution_key(execution_id)}:steps"


def signals_key(execution_id: str) -> str:
    """The signals of one execution: a hash of `token:<name>`, `hash:<name>` and `event:<name>`.

    The second is the hashes of all tokens that the execution has given out, one after the other.
    An event has its giver on a line of its own before it.
    """
    return f"{execution_key(execution_id)}:signals"


def ended_signals_key(execution_id: str) -> str:
    """Return the key of the signals of an ended execution: signal name → hashes of its tokens."""
    return f"{execution_key(execution_id)}:ended-signals"


def join_key(execution_id: str) -> str:
    """How it stands with the children that one execution waits for: a hash."""
    return f"{execution_key(execution_id)}:join"


def children_key(execution_id: str) -> str:
    """The ids of all children that one execution ever had: a list."""
    return f"{execution_key(execution_id)}:children"


def log_key(execution_id: str) -> str:
    """The latest lines of one execution's own log, oldest first."""
    return f"{execution_key(execution_id)}:log"


def process_history_key(process: str, state: str) -> str:
    """The part of HISTORY that is of a process (`<Service>.<Action>`) and in a state."""
    return f"{HISTORY}:process:{process}:{state}"


def tenant_history_key(tenant_id: str, state: str) -> str:
    """The part of HISTORY that is of a tenant and in a state."""
    return f"{HISTORY}:tenant:{tenant_id}:{state}"


def minute_key(minute: int) -> str:
    """What happened in that minute since 1970."""
    return f"{MINUTES}:{minute}"


def finished_key(execution_id: str) -> str:
    """The list on which a synchronous request waits for the end of its execution."""
    return f"{execution_key(execution_id)}:finished"


def file_key(file_id: str, index: int) -> str:
    """One part of an uploaded file."""
    return f"{KEY_PREFIX}file:{file_id}:{index}"


def request_execution_id(tenant_id: str, token: str, service: str, action: str) -> str:
    """Return the execution id of a request: a UUID of version 8, the same for each repetition.

    It consists of bits of a SHA-256 digest, which does not reveal the token.
    """
    identity = "\0".join((tenant_id, token, service, action)).encode()
    digest = hashlib.sha256(identity).hexdigest()
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def child_execution_id(parent: str, nonce: str, index: int) -> str:
    """The id of a child: the same whenever its parent stores it."""
    return str(uuid5(_CHILDREN, f"{parent}/{nonce}/{index}"))


def presence_key(role: str, instance: str) -> str:
    """What a live process writes now and then; gone when it is."""
    return f"{_PRESENCE_PREFIX}{role}:{instance}"


def presence_member(role: str, instance: str) -> str:
    """A presence as PRESENCES holds it."""
    return f"{role}\0{instance}"


def session_key(digest: str) -> str:
    """Return the key of an open session of the console, by the digest of its id."""
    return f"{KEY_PREFIX}session:{digest}"


def flower_url(link: str, execution_id: str) -> str:
    """Where Flower shows an execution's task; empty where nobody knows where Flower is."""
    return f"{link.rstrip('/')}/task/{execution_id}" if link else ""
