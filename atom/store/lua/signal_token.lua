-- ARGV fence, name, token (where there is none yet), its hash
-- Returns the token of the signal, or nothing where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return false
end
if redis.call('HSETNX', SIGNALS, 'token:' .. ARGV[2], ARGV[3]) == 1 then
  -- The tokens that it gave out before a retry stay valid: somebody may have been asked with one.
  local field = 'hash:' .. ARGV[2]
  redis.call('HSET', SIGNALS, field, (redis.call('HGET', SIGNALS, field) or '') .. ARGV[4])
end
return redis.call('HGET', SIGNALS, 'token:' .. ARGV[2])
