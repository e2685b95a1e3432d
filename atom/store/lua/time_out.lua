-- KEYS execution, leases, deadlines, callbacks, finished, accepted
-- ARGV id, response, error, retention_ms
-- Returns 1 or 0 as finish() says, -1 where it has no deadline to miss any more.
local state, deadline = unpack(redis.call('HMGET', KEYS[1], 'state', 'deadline'))
local now = now_ms()
if not state or FINAL[state] then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return -1
end
if tonumber(deadline) > now then
  return -1
end
redis.call('HINCRBY', KEYS[1], 'fence', 1) -- whoever still runs it writes nothing more
redis.call('ZREM', KEYS[6], ARGV[1])
return finish(ARGV[1], KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], now, 'timed_out', ARGV[2],
  ARGV[3], '', ARGV[4])
