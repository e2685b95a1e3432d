-- ARGV id, fence, lease_ms (0: the holder is dead, and the next claim may follow at once)
-- Returns 1 while the caller holds the execution, else 0.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
local lease = now_ms() + ARGV[3]
redis.call('HSET', EXECUTION, 'lease_until', lease)
redis.call('ZADD', LEASES, lease, ARGV[1])
return 1
