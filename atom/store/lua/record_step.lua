-- ARGV fence, order, step, entry
-- The order is the number of this record in the journal; the entry is its name and occurrence.
-- Returns 1 when it is recorded, 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
redis.call('HSET', STEPS, ARGV[2], ARGV[3])
forget_wait(ARGV[4])
return 1
