-- ARGV fence, order, step, entry; see record_step.lua
-- Records what became of the children, whose results are not needed apart any more. Where that is a
-- fault or a failure, the step may be run again: it is kept how those that completed are found.
-- Returns 1 when it is recorded, 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
redis.call('HSET', STEPS, ARGV[2], ARGV[3])
forget_wait(ARGV[4])
if cjson.decode(ARGV[3])[3] then
  leave_join()
else
  redis.call('UNLINK', JOIN, HELD)
end
return 1
