-- KEYS execution, callbacks
-- ARGV id, retention_ms
-- The inline answer is written: no callback is needed.
local answer, callback_state = unpack(redis.call('HMGET', KEYS[1], 'answer', 'callback_state'))
if answer ~= 'inline' or callback_state ~= 'due' then
  return 0
end
redis.call('HSET', KEYS[1], 'callback_state', 'delivered', 'delivered_at', now_ms())
redis.call('ZREM', KEYS[2], ARGV[1])
retire(KEYS[1], ARGV[2])
return 1
