-- ARGV fence, position, name, total, width, stops (1 or 0), digest, nonce, interval_ms
-- The parent begins to wait for children at this position of its journal, unless it does already. It
-- keeps the numbers of earlier joins that asked for the same there; see adopt.lua.
-- Returns 1, or 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
if redis.call('HGET', JOIN, 'position') ~= ARGV[2] then
  redis.call('UNLINK', JOIN, HELD)
  redis.call('HSET', JOIN, 'position', ARGV[2], 'name', ARGV[3], 'total', ARGV[4], 'open', ARGV[4],
    'width', ARGV[5], 'flying', 0, 'stops', ARGV[6], 'digest', ARGV[7],
    'nonces', cjson.encode({ARGV[8], unpack(take_earlier(ARGV[2], ARGV[7]))}),
    'interval_ms', ARGV[9])
end
return 1
