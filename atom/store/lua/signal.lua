-- ARGV id, name, token as it is stored ('' from an operator), event
-- Gives an execution the one event of this name. Returns how suspension.Signalled calls what came of it.
local id, name, now = ARGV[1], ARGV[2], now_ms()
local of = standing('queue', 'wait_kind', 'wait_entry')
local state, queue, kind, awaited = of[1], of[6], of[7], of[8]
if not state then
  return 'unknown'
end
if ARGV[3] ~= '' and redis.call('HGET', SIGNALS, 'token:' .. name) ~= ARGV[3] then
  return 'refused'
end
if FINAL[state] then
  return 'ended'
end
if is_late(now) and redis.call('HEXISTS', SIGNALS, 'event:' .. name) == 0 then
  return 'late'
end
if redis.call('HSETNX', SIGNALS, 'event:' .. name, ARGV[4]) == 0 then
  return 'given'
end
if state == 'suspended' and kind == 'signal' and signal_of(awaited) == name then
  wake(id, now, of, queue)
  return 'woken'
end
return 'kept'
