-- KEYS also: token
-- ARGV id, republish_ms, timeout_ms, token_ttl_ms, sync_ms, inline_grace_ms, answer ('' for WAIT
--      at once, pending, or only), max_pending, service, action,
--      queue, tenant, flow state, how many of the rest are documents, field, value, …
-- Returns {'stored', the id under which the request is stored: another one where it is a
-- duplicate}, {'paused', the target that is} or {'full', how many wait}.
local id, now = ARGV[1], now_ms()
local token = KEYS[2]
local known = redis.call('GET', token)
if known then
  return {'stored', known}
end
local targets = {'*', ARGV[9], ARGV[9] .. '.' .. ARGV[10]}
for index, since in ipairs(redis.call('HMGET', PAUSED, unpack(targets))) do
  if since then
    return {'paused', targets[index]}
  end
end
local pending = redis.call('ZCARD', ACCEPTED)
if pending >= tonumber(ARGV[8]) then
  return {'full', pending}
end
redis.call('SET', token, id, 'PX', ARGV[4])
local deadline = now + ARGV[3]
redis.call('HSET', EXECUTION, 'state', 'accepted', 'accepted_at', now, 'deadline', deadline,
  'timeout_ms', ARGV[3], 'attempts', 0, 'fence', 0, 'callback_state', 'none', 'callback_seq', 0,
  'service', ARGV[9], 'action', ARGV[10], 'queue', ARGV[11], 'tenant_id', ARGV[12],
  'state_id', ARGV[13], unpack(ARGV, 15 + ARGV[14]))
redis.call('HSET', DOCUMENTS, unpack(ARGV, 15, 14 + ARGV[14]))
if ARGV[7] ~= '' then
  redis.call('HSET', EXECUTION, 'answer', ARGV[7], 'answer_until', now + ARGV[5] + ARGV[6])
end
redis.call('ZADD', ACCEPTED, now + ARGV[2], id)
begin_waiting(id, ARGV[11], now)
redis.call('ZADD', DEADLINES, deadline, id)
redis.call('ZADD', HISTORY, now, id)
redis.call('ZADD', HISTORY .. ':flow-states', 0, ARGV[13] .. ' ' .. id)
redis.call('SADD', HISTORY .. ':processes', ARGV[9] .. '.' .. ARGV[10])
redis.call('SADD', HISTORY .. ':tenants', ARGV[12])
move(id, {false, ARGV[9], ARGV[10], ARGV[12], now}, 'accepted')
count_minute(now, 'accepted')
return {'stored', id}
