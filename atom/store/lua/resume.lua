-- ARGV target
-- Takes requests for it again. Returns 1, or 0 if that very target was not paused.
return redis.call('HDEL', PAUSED, ARGV[1])
