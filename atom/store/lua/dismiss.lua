-- ARGV id, retention_ms
-- A person has seen to it: it waits for nobody any more. A parked callback is not sent again.
-- Returns 1, or 0 where it did not wait for anybody.
local id = ARGV[1]
local was_failed, was_parked = redis.call('ZREM', FAILED, id), redis.call('ZREM', PARKED, id)
if was_failed == 1 then
  close_cleanup(id)
end
if was_parked == 1 then
  redis.call('HSET', EXECUTION, 'callback_state', 'dismissed')
  retire(ARGV[2])
end
return math.max(was_failed, was_parked)
