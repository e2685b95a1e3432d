-- ARGV limit, line, …
-- Appends to the execution's own log, of which the latest lines are kept for as long as it is.
local left = redis.call('PTTL', EXECUTION)
if left == -2 then
  return 0
end
redis.call('RPUSH', LOG, unpack(ARGV, 2))
redis.call('LTRIM', LOG, -ARGV[1], -1)
if left >= 0 then
  redis.call('PEXPIRE', LOG, left)
end
return 1
