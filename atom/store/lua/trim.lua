-- KEYS expiring, history
-- ARGV limit, execution prefix
-- Forgets in the indexes what has expired. Returns how many.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
local gone = 0
for _, id in ipairs(ids) do
  local left = redis.call('PTTL', ARGV[2] .. id)
  if left == -2 then
    redis.call('ZREM', KEYS[1], id)
    gone = gone + redis.call('ZREM', KEYS[2], id)
  elseif left == -1 then
    redis.call('ZREM', KEYS[1], id) -- it is under way again
  else
    redis.call('ZADD', KEYS[1], now + left + 1, id)
  end
end
return gone
