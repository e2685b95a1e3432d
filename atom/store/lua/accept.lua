-- KEYS token, execution, accepted, deadlines, history
-- ARGV id, republish_ms, timeout_ms, token_ttl_ms, sync_ms, inline_grace_ms, answer ('' for WAIT
--      at once, pending, or only), field, value, …
-- Returns the id under which the request is stored: another one where it is a duplicate.
local id, now = ARGV[1], now_ms()
local known = redis.call('GET', KEYS[1])
if known then
  return known
end
redis.call('SET', KEYS[1], id, 'PX', ARGV[4])
local deadline = now + ARGV[3]
redis.call('HSET', KEYS[2], 'state', 'accepted', 'accepted_at', now, 'deadline', deadline,
  'attempts', 0, 'fence', 0, 'callback_state', 'none', 'callback_seq', 0, unpack(ARGV, 8))
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[2], 'answer', ARGV[7], 'answer_until', now + ARGV[5] + ARGV[6])
end
redis.call('ZADD', KEYS[3], now + ARGV[2], id)
redis.call('ZADD', KEYS[4], deadline, id)
redis.call('ZADD', KEYS[5], now, id)
return id
