-- KEYS history
-- ARGV older_than_ms, limit, execution prefix
-- Forgets in the history what has expired. Returns how many.
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms() - ARGV[1], 'LIMIT', 0, ARGV[2])
local gone = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', ARGV[3] .. id) == 0 then
    gone = gone + redis.call('ZREM', KEYS[1], id)
  end
end
return gone
