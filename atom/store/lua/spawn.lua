-- ARGV parent, fence, format, root, trace, and then of each child: index, id, service, action, queue,
--      timeout_ms, request, private request ('' where there is none), 1 where it is an item of a map,
--      priority, version of its service, digest of its profiles
-- Stores children, some of which may begin at once. Returns 1, or 0 where the caller no longer holds the
-- parent.
local parent, now = ARGV[1], now_ms()
local state, fence, tenant, flow_state, deadline = unpack(redis.call('HMGET', EXECUTION, 'state',
  'fence', 'tenant_id', 'state_id', 'deadline'))
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
local running_user = documents('authorization')
for at = 6, #ARGV, 12 do
  local index, id, service, action, queue, timeout_ms, request, private,
    is_item, priority, version, profiles = unpack(ARGV, at, at + 11)
  look_at(EXECUTION_PREFIX .. parent)
  if redis.call('HSETNX', JOIN, 'id:' .. index, id) == 1 then
    redis.call('RPUSH', CHILDREN, id)
    redis.call('ZADD', HELD, index, id)
    look_at(EXECUTION_PREFIX .. id)
    local until_ms = math.min(deadline, now + timeout_ms)
    redis.call('HSET', EXECUTION, 'state', 'accepted', 'accepted_at', now, 'deadline', until_ms,
      'attempts', 0, 'fence', 0, 'callback_state', 'none', 'callback_uri', '', 'answer', 'late',
      'service', service, 'action', action, 'queue', queue, 'tenant_id', tenant, 'state_id',
      flow_state, 'format', ARGV[3], 'trace', ARGV[5], 'parent', parent, 'parent_index', index,
      'root', ARGV[4], 'version', version, 'profiles', profiles)
    redis.call('HSET', DOCUMENTS, 'request', request)
    if private ~= '' then
      redis.call('HSET', EXECUTION, 'is_private', 1)
      redis.call('HSET', DOCUMENTS, 'private_request', private)
    end
    if priority ~= '0' then
      redis.call('HSET', EXECUTION, 'priority', priority)
    end
    if is_item == '1' then
      redis.call('HSET', EXECUTION, 'is_item', 1)
    end
    if running_user then
      redis.call('HSET', DOCUMENTS, 'authorization', running_user)
    end
    redis.call('ZADD', DEADLINES, until_ms, id)
  end
end
release_more(parent, now)
return 1
