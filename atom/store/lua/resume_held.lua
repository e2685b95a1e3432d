-- ARGV limit, position in the index of held executions
-- Has a part of them wait for a worker from now on. Returns how many there were.
local now = now_ms()
local ids = redis.call('ZRANGE', HELD_EXECUTIONS, ARGV[2], ARGV[2] + ARGV[1] - 1)
for _, id in ipairs(ids) do
  look_at(EXECUTION_PREFIX .. id)
  local state, kind = unpack(redis.call('HMGET', EXECUTION, 'state', 'wait_kind'))
  if state == 'suspended' and kind == 'held' then
    redis.call('HSET', EXECUTION, 'wait_until', now)
    redis.call('ZADD', SUSPENDED, now, id)
  end
end
return #ids
