-- ARGV id
-- Makes a parked callback due again, or one that the flow took while it waited for something else.
-- Returns 1, or 0 where there is none that could be sent.
local callback_state, token = redis.call('HGET', EXECUTION, 'callback_state'), documents('token')
if not token or (callback_state ~= 'parked' and callback_state ~= 'delivered') then
  return 0
end
local now = now_ms()
keep()
redis.call('ZREM', PARKED, ARGV[1])
redis.call('HSET', EXECUTION, 'callback_failures', 0, 'callback_busy', 0, 'callback_due_since', now)
make_callback_due(ARGV[1], now)
return 1
