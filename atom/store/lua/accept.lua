-- ARGV id, holder (unique to this call, so that it can be repeated), republish_ms, timeout_ms,
--      sync_ms, inline_grace_ms, answer ('' for WAIT at once, pending, only, or late where nobody
--      waits), max_pending, service, action, queue, tenant, flow state, priority, the rates (requests
--      per second, 0: any) of tenant and service, how many of the rest are documents, field, value, …
-- The id follows from the request, so one that is known is a request that came before.
-- Returns {'new', 1 if the caller is to publish it}, {'known'},
-- {'paused', the target that is}, {'full', how many wait}, {'limited', whose rate is exceeded, in
-- how many ms it is not}, or 'late': the caller has stopped waiting, and nothing is stored.

-- The generic cell rate algorithm: each request is paid for with the time that the rate gives it, and as much
-- as a second gives (one request at least) may be paid for ahead. None is paid for that another rate
-- refuses.
local function pay(at, rates)
  local paid = {}
  for _, each in ipairs(rates) do
    local rate = tonumber(each[3])
    if rate > 0 then
      local key = RATES .. ':' .. each[1] .. ':' .. each[2]
      local ahead_ms = math.max(1, rate) * 1000 / rate
      local paid_until = tonumber(redis.call('GET', key)) or 0
      if paid_until > at + ahead_ms + 1000 then
        paid_until = 0 -- nobody pays so far ahead: the clock was set back
      end
      local until_ms = math.max(at, paid_until) + 1000 / rate
      local early_ms = until_ms - at - ahead_ms
      if early_ms > 0.001 then
        return {'limited', each[1], math.ceil(early_ms)}
      end
      paid[#paid + 1] = {key, string.format('%.3f', until_ms), math.ceil(until_ms - at)}
    end
  end
  for _, each in ipairs(paid) do
    redis.call('SET', each[1], each[2], 'PX', each[3])
  end
end

local id, now = ARGV[1], now_ms()
local queue, tenant = ARGV[11], ARGV[12]
local state, holder = unpack(redis.call('HMGET', EXECUTION, 'state', 'holder'))
if state then
  if holder == ARGV[2] then
    return {'new', redis.call('SISMEMBER', out(window(queue, tenant)), id)}
  end
  return {'known'}
end
if redis.call('EXISTS', KNOWN) == 1 then
  return {'known'} -- its execution was forgotten
end
if is_late(now) then
  return 'late'
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
local limited = pay(now, {{'tenant', tenant, ARGV[15]}, {'service', ARGV[9], ARGV[16]}})
if limited then
  return limited
end
local deadline = now + ARGV[4]
redis.call('HSET', EXECUTION, 'state', 'accepted', 'accepted_at', now, 'deadline', deadline,
  'holder', ARGV[2], 'attempts', 0, 'fence', 0, 'callback_state', 'none', 'service', ARGV[9],
  'action', ARGV[10], 'queue', queue, 'tenant_id', tenant, 'state_id', ARGV[13],
  unpack(ARGV, 18 + ARGV[17]))
redis.call('HSET', DOCUMENTS, unpack(ARGV, 18, 17 + ARGV[17]))
if ARGV[7] ~= '' then
  redis.call('HSET', EXECUTION, 'answer', ARGV[7], 'answer_until', now + ARGV[5] + ARGV[6])
end
local is_out = begin_waiting(id, now, now + ARGV[3], queue, tenant, now, ARGV[14])
redis.call('ZADD', DEADLINES, deadline, id)
enter_history(id, ARGV[9], ARGV[10], tenant, now, 'accepted')
count_minute(now, 'accepted')
return {'new', is_out and 1 or 0}
