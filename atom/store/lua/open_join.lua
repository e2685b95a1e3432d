-- ARGV fence, entry, total, width, stops (1 or 0), digest, nonce, interval_ms, function
-- The parent begins to wait for children at this entry of its journal, unless it does already. A join of
-- another entry is left: a new version of the process may wait elsewhere first. The numbers of earlier
-- joins that asked for the same at this entry are kept; see adopt.lua.
-- Returns 1, or 0 where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return 0
end
if redis.call('HGET', JOIN, 'entry') ~= ARGV[2] then
  leave_join()
  redis.call('UNLINK', JOIN, HELD)
  redis.call('HSET', JOIN, 'entry', ARGV[2], 'total', ARGV[3], 'open', ARGV[3],
    'width', ARGV[4], 'flying', 0, 'stops', ARGV[5], 'digest', ARGV[6],
    'nonces', cjson.encode({ARGV[7], unpack(take_earlier(ARGV[2], ARGV[6]))}),
    'interval_ms', ARGV[8], 'function', ARGV[9])
end
return 1
