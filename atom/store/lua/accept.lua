-- KEYS also, where the request has a token: what earlier versions knew it by
-- ARGV id, holder (unique to this call, so that it can be repeated), republish_ms, timeout_ms,
--      sync_ms, inline_grace_ms, answer ('' for WAIT at once, pending, only, or late where nobody
--      waits), max_pending,
--      service, action, queue, tenant, flow state, how many of the rest are documents,
--      field, value, …
-- The id follows from the request, so one that is known is a request that came before.
-- Returns {'new', id}, {'known', the id under which it is stored}, {'paused', the target that is} or
-- {'full', how many wait}.
local id, now = ARGV[1], now_ms()
local state, holder = unpack(redis.call('HMGET', EXECUTION, 'state', 'holder'))
if state then
  return {holder == ARGV[2] and 'new' or 'known', id}
end
if KEYS[2] then
  -- It may be forgotten but for this, or be stored by an earlier version under an id that is random.
  local forgotten, before = unpack(redis.call('MGET', KNOWN, KEYS[2]))
  if forgotten or before then
    return {'known', before or id}
  end
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
local deadline = now + ARGV[4]
redis.call('HSET', EXECUTION, 'state', 'accepted', 'accepted_at', now, 'deadline', deadline,
  'holder', ARGV[2], 'attempts', 0, 'fence', 0, 'callback_state', 'none', 'service', ARGV[9],
  'action', ARGV[10], 'queue', ARGV[11], 'tenant_id', ARGV[12], 'state_id', ARGV[13],
  unpack(ARGV, 15 + ARGV[14]))
redis.call('HSET', DOCUMENTS, unpack(ARGV, 15, 14 + ARGV[14]))
if ARGV[7] ~= '' then
  redis.call('HSET', EXECUTION, 'answer', ARGV[7], 'answer_until', now + ARGV[5] + ARGV[6])
end
redis.call('ZADD', ACCEPTED, now + ARGV[3], id)
begin_waiting(id, ARGV[11], now)
redis.call('ZADD', DEADLINES, deadline, id)
enter_history(id, ARGV[9], ARGV[10], ARGV[12], ARGV[13], now, 'accepted')
count_minute(now, 'accepted')
return {'new', id}
