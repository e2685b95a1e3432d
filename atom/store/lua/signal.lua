-- ARGV id, name, hash of the token ('' from an operator), event
-- Gives an execution the one event of this name. Returns the outcome as suspension.Signalled names it.

local HASH_BYTES = 32

-- `hashes` are those of every token that was given out for the signal, one after the other.
local function has_hash(hashes, hash)
  for at = 1, #(hashes or ''), HASH_BYTES do
    if hashes:sub(at, at + HASH_BYTES - 1) == hash then
      return true
    end
  end
  return false
end

local id, name, now = ARGV[1], ARGV[2], now_ms()
local of = standing('queue', 'wait_kind', 'wait_entry')
local state, queue, kind, awaited = of[1], of[6], of[7], of[8]
if ARGV[3] ~= '' and not has_hash(redis.call('HGET', SIGNALS, 'hash:' .. name), ARGV[3]) then
  return has_hash(redis.call('HGET', ENDED_SIGNALS, name), ARGV[3]) and 'ended' or 'refused'
end
if not state then
  return 'unknown'
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
