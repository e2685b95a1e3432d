-- KEYS execution, callbacks
-- ARGV id, hold_ms, flow-state prefix
-- Returns what the delivery needs, or nothing: no callback is due, another worker is at it, or
-- another callback of the same flow state is on its way (which wakes this one when it is done).
local id, now = ARGV[1], now_ms()
local state, callback_state, due_at, tenant, flow_state = unpack(redis.call('HMGET', KEYS[1],
  'state', 'callback_state', 'callback_due_at', 'tenant_id', 'state_id'))
if callback_state ~= 'due' and callback_state ~= 'delivering' then
  redis.call('ZREM', KEYS[2], id)
  return false
end
if tonumber(due_at) > now then
  return false
end
if flow_state ~= '' then
  local lock = ARGV[3] .. tenant .. ':' .. flow_state
  if not redis.call('SET', lock, id, 'NX', 'PX', ARGV[2]) and redis.call('GET', lock) ~= id then
    redis.call('SADD', lock .. ':waiting', id)
    redis.call('PEXPIRE', lock .. ':waiting', ARGV[2])
    return false
  end
end
if not FINAL[state] then
  redis.call('HSET', KEYS[1], 'progress_sent_at', now)
end
redis.call('HSET', KEYS[1], 'callback_state', 'delivering', 'callback_due_at', now + ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], id)
redis.call('HINCRBY', KEYS[1], 'callback_fence', 1)
local found = redis.call('HMGET', KEYS[1], 'state', 'callback_fence', 'callback_seq',
  'callback_uri', 'tenant_id', 'token', 'authorization', 'progress', 'response',
  'callback_failures', 'callback_busy', 'finished_at', 'private_response')
found[9] = table.remove(found) or found[9]
return found
