-- KEYS own: circuits
-- ARGV id, hold_ms, flow-state prefix, circuit prefix, circuit threshold, spread_ms
-- Returns what the delivery needs as a flat list of fields and values, or nothing: no callback is
-- due, another worker is at it, its host is in trouble (the callback is put off), or another
-- callback of the same flow state is on its way (which wakes this one when it is done).
local id, now = ARGV[1], now_ms()
local state, callback_state, due_at, tenant, flow_state, host = unpack(redis.call('HMGET',
  EXECUTION, 'state', 'callback_state', 'callback_due_at', 'tenant_id', 'state_id',
  'callback_host'))
if callback_state ~= 'due' and callback_state ~= 'delivering' then
  redis.call('ZREM', CALLBACKS, id)
  return false
end
if tonumber(due_at) > now then
  return false
end
local circuit, looks = ARGV[4] .. (host or ''), false
if host then
  local failures, open_until = unpack(redis.call('HMGET', circuit, 'failures', 'open_until'))
  if open_until and tonumber(open_until) > now then
    make_callback_due(id, open_until + ARGV[6])
    return false
  end
  looks = failures and tonumber(failures) >= tonumber(ARGV[5])
end
if flow_state ~= '' then
  local lock = ARGV[3] .. tenant .. ':' .. flow_state
  if not redis.call('SET', lock, id, 'NX', 'PX', ARGV[2]) and redis.call('GET', lock) ~= id then
    redis.call('SADD', lock .. ':waiting', id)
    redis.call('PEXPIRE', lock .. ':waiting', ARGV[2])
    return false
  end
end
if looks then
  -- This one looks whether the host is well again; the others wait for what it finds.
  open_circuit(KEYS[OWN_KEYS + 1], circuit, host, now + ARGV[2])
end
if not FINAL[state] then
  redis.call('HSET', EXECUTION, 'progress_sent_at', now)
end
redis.call('HSET', EXECUTION, 'callback_state', 'delivering', 'callback_due_at', now + ARGV[2])
redis.call('ZADD', CALLBACKS, now + ARGV[2], id)
redis.call('HINCRBY', EXECUTION, 'callback_fence', 1)

local wanted = {'state', 'callback_fence', 'callback_seq', 'callback_uri', 'service', 'action',
  'tenant_id', 'state_id', 'trace', 'token', 'authorization', 'progress', 'response', 'private_response', 'callback_failures',
  'callback_busy', 'callback_due_since', 'finished_at'}
local found = {}
for index, value in ipairs(redis.call('HMGET', EXECUTION, unpack(wanted))) do
  if value then
    found[#found + 1] = wanted[index]
    found[#found + 1] = value
  end
end
return found
