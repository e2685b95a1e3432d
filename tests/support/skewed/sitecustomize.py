"""A host whose clock is wrong, for the processes that have this folder on their PYTHONPATH.

`TESTS_HOST_SKEW` is by how many seconds the wall clock of the process is ahead. Its monotonic clock
is right, as on a host that is not synchronized.
"""

import datetime as module
import os
import time

_SKEW = float(os.environ.get("TESTS_HOST_SKEW", "0"))
_real, _real_time, _real_time_ns = module.datetime, time.time, time.time_ns


class _Meta(type):
    """Lets what others make of the real class count as made of this one."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _real)

    def __subclasscheck__(cls, subclass):
        return issubclass(subclass, _real)


class _Skewed(_real, metaclass=_Meta):
    """The real class, but for the clock that it reads."""

    def __new__(cls, *args, **kwargs):
        return _real(*args, **kwargs)

    now = staticmethod(lambda tz=None: _real.now(tz) + module.timedelta(seconds=_SKEW))
    utcnow = staticmethod(lambda: _real.utcnow() + module.timedelta(seconds=_SKEW))
    today = staticmethod(lambda: _real.today() + module.timedelta(seconds=_SKEW))
    fromtimestamp = _real.fromtimestamp
    fromisoformat = _real.fromisoformat
    strptime = _real.strptime
    combine = _real.combine


if _SKEW:
    module.datetime = _Skewed
    time.time = lambda: _real_time() + _SKEW
    time.time_ns = lambda: _real_time_ns() + int(_SKEW * 1e9)

if os.environ.get("TESTS_REDIS_CLOCK"):  # the clock of Redis is set, see `redis_clock`
    from tests.support import redis_clock

    redis_clock.install()
