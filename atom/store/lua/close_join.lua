-- ARGV fence, position, step
-- Records what became of the children, whose results are not needed apart any more.
-- Returns 1 when it is recorded, 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
redis.call('HSET', STEPS, ARGV[2], ARGV[3])
redis.call('DEL', JOIN)
return 1
