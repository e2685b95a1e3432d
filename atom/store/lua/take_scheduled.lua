-- ARGV republish_ms, limit
-- Returns whose time has come: from now on they wait for a worker as what was just accepted.
local now = now_ms()
local ids = redis.call('ZRANGEBYSCORE', SCHEDULED, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZREM', SCHEDULED, id)
  redis.call('ZADD', ACCEPTED, now + ARGV[1], id)
end
return ids
