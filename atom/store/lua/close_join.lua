-- ARGV fence, position, step
-- Records what became of the children, whose results are not needed apart any more. Where that is a
-- fault or a failure, the step may be run again: it is kept which of them completed.
-- Returns 1 when it is recorded, 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
redis.call('HSET', STEPS, ARGV[2], ARGV[3])
local digest = redis.call('HGET', JOIN, 'digest')
if digest and cjson.decode(ARGV[3])[3] then
  keep_completed(ARGV[2], digest)
end
redis.call('DEL', JOIN)
return 1
