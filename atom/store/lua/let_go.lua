-- ARGV id, fence
-- The attempt that was ended from outside runs no longer: its place is free.
local service, action, limit = unpack(redis.call('HMGET', EXECUTION, 'service', 'action', 'limit'))
if service then
  redis.call('ZREM', LEAVING .. ':' .. service .. '.' .. action, ARGV[1] .. ' ' .. ARGV[2])
  call_next(service, action, limit, now_ms())
end
return 0
