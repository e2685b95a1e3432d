"""The Lua scripts beside this file, each as a callable of keys and arguments."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final
from uuid import uuid4

import redis
from redis.exceptions import NoScriptError

from atom.names import SCRIPT_KEYS
from atom.parentage import Wakeup
from atom.store import child_codec
from atom.store.sizes import check_sizes
from atom.store.timely import Timely

_LUA: Final = files("atom.store") / "lua"
_PARTS: Final = ("_turns.lua", "_prelude.lua", "_journal.lua", "_children.lua", "_cleanups.lua")
_KEYS: Final = "".join(f"local {name} = '{key}'\n" for name, key in SCRIPT_KEYS.items())
_SHARED: Final = "".join((_LUA / name).read_text() for name in _PARTS)

_RELEASING: Final = "return {script() or false, RELEASED}"
# The last two arguments of a script on behalf of a caller; see `timely`. A clock that was set back
# since it was read tells nothing about the caller.
_TIMES: Final = """
local NOT_AFTER, NOT_BEFORE = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
local function is_late(now)
  return now >= NOT_AFTER or now < NOT_BEFORE
end
"""
_TIMELY: Final = "return {script() or false, RELEASED, now_ms()}"
# The last argument of a script that does not recognize its own earlier run, or the one before those
# two: unique to the call. A repeat after a lost reply gets the reply of the first run.
_CALL: Final = "local CALL = CALLS .. ':' .. table.remove(ARGV)\n"
_ONCE: Final = """
local known = redis.call('GET', CALL)
if known then
  return cmsgpack.unpack(known)
end
local reply = {script() or false, RELEASED, now_ms()}
if reply[1] ~= 'late' then
  redis.call('SET', CALL, cmsgpack.pack(reply), 'PX', 60000)
end
return reply
"""

OnReleased = Callable[[Sequence[Wakeup]], None]


class _Script:
    """A script by its digest, loaded again where the server does not know it."""

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._client: Any = client
        self._script = client.register_script(text)

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any], pipeline: Any = None) -> Any:
        if pipeline is not None:
            return self._script(keys=list(keys), args=list(arguments), client=pipeline)
        check_sizes(self._client.connection_pool, arguments)
        # The driver's own way leads here as well, by detours that cost an eighth of the whole.
        command = ("EVALSHA", self._script.sha, len(keys), *keys, *arguments)
        with suppress(NoScriptError):
            return self._client.execute_command(*command)
        self._client.script_load(self._script.script)
        return self._client.execute_command(*command)


class _ReleasingScript(_Script):
    """A script that may make room for other executions: who publishes is told of them."""

    def __init__(self, client: redis.Redis, text: str, tell: OnReleased | None) -> None:
        super().__init__(client, text)
        self._tell = tell

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any], pipeline: Any = None) -> Any:
        result, released, *_ = self._run(keys, arguments)
        if released and self._tell:
            self._tell(child_codec.wakeups(released))
        return result

    def _run(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return super().__call__(keys, arguments)


class _OnceScript(_ReleasingScript):
    """A script whose repeat after a lost reply gets the reply of its first run."""

    def _run(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return super()._run(keys, (*arguments, uuid4().hex))


class _TimelyScript(_ReleasingScript):
    """A script on behalf of a caller, which does nothing once the caller has stopped waiting."""

    def __init__(
        self, client: redis.Redis, text: str, tell: OnReleased | None, timely: Timely
    ) -> None:
        super().__init__(client, text, tell)
        self._timely = timely

    def _run(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        check_sizes(self._client.connection_pool, arguments)
        return self._timely.run(self._script, keys, arguments)


class _TimelyOnceScript(_TimelyScript):
    """A script on behalf of a caller that does not recognize its own earlier run by itself."""

    def _run(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return super()._run(keys, (*arguments, uuid4().hex))


class _Maker:
    """Makes scripts of the files beside this one, each with what all of them share before it."""

    def __init__(
        self, client: redis.Redis, shared: str, tell: OnReleased | None, timely: Timely
    ) -> None:
        self._client, self._shared, self._tell, self._timely = client, shared, tell, timely

    def plain(self, name: str) -> _Script:
        """Make one that changes nothing for other executions, or leaves that to recovery."""
        return _Script(self._client, self._shared + _body(name))

    def releasing(self, name: str) -> _Script:
        """Make one that may make room for other executions."""
        text = self._shared + _function(name) + _RELEASING
        return _ReleasingScript(self._client, text, self._tell)

    def once(self, name: str) -> _Script:
        """Make one that may be repeated, although its file says nothing about that."""
        text = self._shared + _CALL + _function(name) + _ONCE
        return _OnceScript(self._client, text, self._tell)

    def timely(self, name: str) -> _Script:
        """Make one on behalf of a caller."""
        text = self._shared + _TIMES + _function(name) + _TIMELY
        return _TimelyScript(self._client, text, self._tell, self._timely)

    def timely_once(self, name: str) -> _Script:
        """Make one on behalf of a caller that may be repeated, as `once` does."""
        text = self._shared + _TIMES + _CALL + _function(name) + _ONCE
        return _TimelyOnceScript(self._client, text, self._tell, self._timely)


def _body(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text()


def _function(name: str) -> str:
    return f"local function script()\n{_body(name)}end\n"


class Scripts:
    """Every script by its name.

    Where nobody publishes what becomes free (no `on_released`), nothing is set free for it, and
    recovery sees to that. `caller_seconds` is how long the callers of the listener wait.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        republish_ms: int,
        keeps_secrets: bool,
        caller_seconds: float,
        on_released: OnReleased | None,
    ) -> None:
        shared = (
            f"{_KEYS}local REPUBLISH_MS = {republish_ms}\n"
            f"local KEEPS_SECRETS = {'true' if keeps_secrets else 'false'}\n"
            f"local PUBLISHES = {'true' if on_released else 'false'}\n{_SHARED}"
        )
        make = _Maker(client, shared, on_released, Timely(client, caller_seconds))
        self.accept = make.timely("accept")
        self.answer = make.plain("answer")
        self.confirm_answer = make.plain("confirm_answer")
        self.give_up = make.once("give_up")
        self.claim = make.releasing("claim")
        self.renew = make.plain("renew")
        self.let_go = make.releasing("let_go")
        self.record_step = make.plain("record_step")
        self.progress = make.plain("progress")
        self.finish = make.releasing("finish")
        self.hand_back = make.releasing("hand_back")
        self.suspend = make.releasing("suspend")
        self.signal_token = make.plain("signal_token")
        self.signal = make.timely_once("signal")
        self.open_join, self.adopt = make.plain("open_join"), make.plain("adopt")
        self.spawn = make.releasing("spawn")
        self.close_join = make.plain("close_join")
        self.end = make.once("end")
        self.restart = make.once("restart")
        self.dismiss = make.once("dismiss")
        self.resume = make.once("resume")
        self.replay = make.once("replay")
        self.claim_delivery = make.plain("claim_delivery")
        self.next_delivery = make.plain("next_delivery")
        self.record_delivery = make.plain("record_delivery")
        self.take_due = make.plain("take_due")
        self.take_scheduled = make.plain("take_scheduled")
        self.release, self.requeue = make.plain("release"), make.plain("requeue")
        self.take_suspended = make.releasing("take_suspended")
        self.resume_held = make.plain("resume_held")
        self.trim = make.plain("trim")
        self.tend_families = make.plain("tend_families")
        self.drop_forgotten = make.plain("drop_forgotten")
        self.take_settled = make.plain("take_settled")
        self.export = make.plain("export")
        self.remove_copied = make.plain("remove_copied")
        self.bring_back = make.plain("bring_back")
        self.add_log = make.plain("add_log")
        self.announce = make.plain("announce")
        self.observe_clock, self.recompute = make.plain("observe_clock"), make.plain("recompute")
        self.overview = make.plain("overview")
