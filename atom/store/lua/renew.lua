-- KEYS execution, leases
-- ARGV id, fence, lease_ms
-- Returns 1 while the caller holds the execution, else 0.
local state, fence = unpack(redis.call('HMGET', KEYS[1], 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
local lease = now_ms() + ARGV[3]
redis.call('HSET', KEYS[1], 'lease_until', lease)
redis.call('ZADD', KEYS[2], lease, ARGV[1])
return 1
