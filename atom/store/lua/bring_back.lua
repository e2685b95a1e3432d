-- ARGV id, retention_ms, then for each part its name after that of the execution, its type, how many
--      items and each item
-- Puts an ended execution that was moved to the history database back to where it was, unless there is
-- one of its id. It is in both places, and is moved anew when it has settled.
local id = ARGV[1]
if redis.call('EXISTS', EXECUTION) == 1 then
  return 0
end
local at = 3
while at <= #ARGV do
  local key, command, last = EXECUTION .. ARGV[at], ARGV[at + 1] == 'hash' and 'HSET' or 'RPUSH',
    at + 2 + ARGV[at + 2]
  for first = at + 3, last, 1000 do -- Lua hands over no more than some thousands at once
    redis.call(command, key, unpack(ARGV, first, math.min(first + 999, last)))
  end
  at = last + 1
end
local state, service, action, tenant, accepted_at, parent = unpack(standing('parent'))
if not parent then
  redis.call('SADD', IN_BOTH, id)
  enter_history(id, service, action, tenant, accepted_at, state)
end
expire(ARGV[2])
return 1
