-- ARGV id, retention_ms
-- The inline answer is written: no callback is needed.
local answer, callback_state = unpack(redis.call('HMGET', EXECUTION, 'answer', 'callback_state'))
if answer ~= 'inline' or callback_state ~= 'due' then
  return 0
end
redis.call('HSET', EXECUTION, 'callback_state', 'delivered', 'delivered_at', now_ms())
redis.call('ZREM', CALLBACKS, ARGV[1])
retire(ARGV[2])
return 1
