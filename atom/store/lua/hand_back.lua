-- ARGV id, fence, delay_ms, error ('' where it is no try of the process that failed)
-- The execution waits for a worker again, after the delay; its steps stay, but for those that a
-- failed try ended with. Returns 1, or 0 where the caller no longer holds the execution.
local id, now = ARGV[1], now_ms()
local state, fence, queue = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence', 'queue'))
if state == 'accepted' and tonumber(fence) == ARGV[2] + 1 then
  return 1 -- repeated after a lost reply
end
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
redis.call('HINCRBY', EXECUTION, 'fence', 1)
keep_run(now, ARGV[4] == '' and 'handed_back' or 'tried_again')
enter(id, 'accepted')
redis.call('HSET', EXECUTION, 'not_before', now + ARGV[3])
redis.call('ZREM', LEASES, id)
redis.call('ZADD', SCHEDULED, now + ARGV[3], id) -- recovery publishes it
begin_waiting(id, queue, now + ARGV[3])
if ARGV[4] ~= '' then
  redis.call('HINCRBY', EXECUTION, 'tries', 1)
  redis.call('HSET', EXECUTION, 'error', ARGV[4])
  drop_failed_steps()
end
return 1
