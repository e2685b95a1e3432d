"""The store on Redis: one Lua script for each operation that has to be atomic."""

from atom.store.redis_callbacks import RedisCallbacks
from atom.store.redis_children import RedisChildren
from atom.store.redis_executions import RedisExecutions
from atom.store.redis_history import RedisHistory
from atom.store.redis_in_flight import RedisInFlight
from atom.store.redis_operations import RedisOperations
from atom.store.redis_recovery import RedisRecovery
from atom.store.redis_server import RedisServer
from atom.store.redis_suspensions import RedisSuspensions
from atom.store.redis_turns import RedisTurns


class RedisStore(
    RedisExecutions,
    RedisSuspensions,
    RedisChildren,
    RedisCallbacks,
    RedisTurns,
    RedisRecovery,
    RedisHistory,
    RedisInFlight,
    RedisOperations,
    RedisServer,
):
    """See `ExecutionStore`. Safe to share between threads, and to use after a fork."""
