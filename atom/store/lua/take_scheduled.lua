-- KEYS scheduled, accepted
-- ARGV republish_ms, limit
-- Returns whose time has come: from now on they wait for a worker as what was just accepted.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[2], now + ARGV[1], id)
end
return ids
