-- KEYS a presence, the index of presences
-- ARGV its member in the index, details (JSON), for how long (ms)
-- The time is the server's: an age that is told of it is the same everywhere.
local now = now_ms()
redis.call('SET', KEYS[1], now .. ' ' .. ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
