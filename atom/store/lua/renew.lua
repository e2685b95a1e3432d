-- ARGV id, fence, lease_ms (0: the holder is dead, and the next claim may follow at once)
-- Returns 1 while the caller holds the execution, else 0; the place that an execution keeps whose
-- code still runs is renewed as well.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
local lease = now_ms() + ARGV[3]
if state ~= 'running' or fence ~= ARGV[2] then
  local service, action, limit =
    unpack(redis.call('HMGET', EXECUTION, 'service', 'action', 'limit'))
  if limit then
    renew_place(ARGV[1], ARGV[2], service, action, lease)
  end
  return 0
end
redis.call('HSET', EXECUTION, 'lease_until', lease)
redis.call('ZADD', LEASES, lease, ARGV[1])
return 1
