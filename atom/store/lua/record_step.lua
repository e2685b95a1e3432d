-- ARGV fence, position, step
-- Returns 1 when it is recorded, 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
redis.call('HSET', STEPS, ARGV[2], ARGV[3])
return 1
