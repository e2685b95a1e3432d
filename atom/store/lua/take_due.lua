-- KEYS a sorted set of ids by time
-- ARGV again_ms, limit
-- Returns what is due and puts it off, so that the next look does not find it again at once.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[1], id)
end
return ids
