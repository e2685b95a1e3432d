"""The Lua scripts beside this file, each as a callable of keys and arguments."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError

from atom.names import SCRIPT_KEYS
from atom.parentage import Wakeup
from atom.store import child_codec
from atom.store.timely import Timely

_LUA: Final = files("atom.store") / "lua"
_PARTS: Final = ("_turns.lua", "_prelude.lua", "_journal.lua", "_children.lua")
_KEYS: Final = "".join(f"local {name} = '{key}'\n" for name, key in SCRIPT_KEYS.items())
_SHARED: Final = "".join((_LUA / name).read_text() for name in _PARTS)

# The last two arguments of a script on behalf of a caller; see `timely`. A clock that was set back
# since it was read tells nothing about the caller.
_TIMES: Final = """
local NOT_AFTER, NOT_BEFORE = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
local function is_late(now)
  return now >= NOT_AFTER or now < NOT_BEFORE
end
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
        result, released = super().__call__(keys, arguments)
        self._publish(released)
        return result

    def _publish(self, released: Sequence[bytes]) -> None:
        if released and self._tell:
            self._tell(child_codec.wakeups(released))


class _TimelyScript(_ReleasingScript):
    """A script on behalf of a caller, which does nothing once the caller has stopped waiting."""

    def __init__(
        self, client: redis.Redis, text: str, tell: OnReleased | None, timely: Timely
    ) -> None:
        super().__init__(client, text, tell)
        self._timely = timely

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any], pipeline: Any = None) -> Any:
        result, released, _ = self._timely.run(self._script, keys, arguments)
        self._publish(released)
        return result


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
        caller_seconds: float,
        on_released: OnReleased | None,
    ) -> None:
        timely = Timely(client, caller_seconds)
        shared = (
            f"{_KEYS}local REPUBLISH_MS = {republish_ms}\n"
            f"local PUBLISHES = {'true' if on_released else 'false'}\n{_SHARED}"
        )

        def script(name: str) -> _Script:
            return _Script(client, shared + (_LUA / f"{name}.lua").read_text())

        def releasing(name: str) -> _Script:
            body = (_LUA / f"{name}.lua").read_text()
            whole = f"local function script()\n{body}end\nreturn {{script() or false, RELEASED}}"
            return _ReleasingScript(client, shared + whole, on_released)

        def for_caller(name: str) -> _Script:
            body = (_LUA / f"{name}.lua").read_text()
            whole = f"{_TIMES}local function script()\n{body}end\n"
            result = "return {script() or false, RELEASED, now_ms()}"
            return _TimelyScript(client, shared + whole + result, on_released, timely)

        self.accept = for_caller("accept")
        self.answer = script("answer")
        self.confirm_answer = script("confirm_answer")
        self.give_up = releasing("give_up")
        self.claim = releasing("claim")
        self.renew = script("renew")
        self.let_go = releasing("let_go")
        self.record_step = script("record_step")
        self.progress = script("progress")
        self.finish = releasing("finish")
        self.hand_back = releasing("hand_back")
        self.suspend = releasing("suspend")
        self.signal_token = script("signal_token")
        self.signal = for_caller("signal")
        self.open_join = script("open_join")
        self.spawn = releasing("spawn")
        self.close_join = script("close_join")
        self.end = releasing("end")
        self.restart = script("restart")
        self.dismiss = script("dismiss")
        self.replay = script("replay")
        self.claim_delivery = script("claim_delivery")
        self.next_delivery = script("next_delivery")
        self.record_delivery = script("record_delivery")
        self.take_due = script("take_due")
        self.take_scheduled = script("take_scheduled")
        self.release, self.requeue = script("release"), script("requeue")
        self.take_suspended = releasing("take_suspended")
        self.trim = script("trim")
        self.drop_forgotten = script("drop_forgotten")
        self.take_settled = script("take_settled")
        self.export = script("export")
        self.remove_copied = script("remove_copied")
        self.bring_back = script("bring_back")
        self.add_log = script("add_log")
        self.announce = script("announce")
        self.overview = script("overview")
