-- ARGV fence, name, token (where there is none yet)
-- Returns the token of the signal, or nothing where the caller no longer holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] then
  return false
end
redis.call('HSETNX', SIGNALS, 'token:' .. ARGV[2], ARGV[3])
return redis.call('HGET', SIGNALS, 'token:' .. ARGV[2])
