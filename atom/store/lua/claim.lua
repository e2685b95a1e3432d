-- KEYS execution, accepted, leases, deadlines
-- ARGV id, worker, holder (unique to this call, so that it can be repeated), lease_ms, retention_ms
-- Returns the execution as a flat list of fields and values, or nothing where there is nothing
-- to claim: it is unknown, held by another worker or finished.
local id, now = ARGV[1], now_ms()
local state, holder, lease_until, answer, answer_until = unpack(
  redis.call('HMGET', KEYS[1], 'state', 'holder', 'lease_until', 'answer', 'answer_until'))
if not state or FINAL[state] then
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  if not state then
    redis.call('ZREM', KEYS[4], id)
  end
  return false
end
if state == 'accepted' and answer == 'only' and tonumber(answer_until) < now then
  withdraw(id, KEYS[1], KEYS[2], KEYS[4], now, ARGV[5]) -- nobody waits for it any more
  return false
end
if holder ~= ARGV[3] then
  if state == 'running' and tonumber(lease_until) > now then
    return false
  end
  redis.call('HINCRBY', KEYS[1], 'fence', 1)
  redis.call('HINCRBY', KEYS[1], 'attempts', 1)
  redis.call('HSETNX', KEYS[1], 'started_at', now)
  local lease = now + ARGV[4]
  redis.call('HSET', KEYS[1], 'state', 'running', 'worker', ARGV[2], 'holder', ARGV[3],
    'lease_until', lease)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[3], lease, id)
end
return redis.call('HGETALL', KEYS[1])
