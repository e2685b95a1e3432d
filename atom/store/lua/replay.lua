-- ARGV id
-- Makes the callback of an ended execution due now: one that is parked, that waits for its next attempt, or
-- that its flow took while it waited for something else. It may go out although the circuit of its host is
-- open, unless another callback tries that host at this moment. Returns 'due', or 'waits' if it has to
-- wait for that one or for another callback of its flow state; else why nothing was done: 'unknown',
-- 'unfinished', 'sending', 'answering' (the listener is about to answer with the outcome) or 'none'.
local id, now = ARGV[1], now_ms()
local state, callback_state, due_at, failures, busy, answer, host, tenant, flow_state =
  unpack(redis.call('HMGET', EXECUTION, 'state', 'callback_state', 'callback_due_at',
    'callback_failures', 'callback_busy', 'answer', 'callback_host', 'tenant_id',
    'state_id'))
if not state then
  return 'unknown'
elseif not FINAL[state] then
  return 'unfinished'
elseif callback_state == 'delivering' then
  return 'sending'
elseif not documents('token')
  or (callback_state ~= 'parked' and callback_state ~= 'delivered' and callback_state ~= 'due') then
  return 'none'
end
local is_untried = callback_state == 'due' and failures == '0' and busy == '0'
if is_untried and tonumber(due_at) > now and (answer == 'pending' or answer == 'inline') then
  return 'answering'
end
if callback_state ~= 'due' then
  keep()
  redis.call('ZREM', PARKED, id)
  redis.call('HSET', EXECUTION, 'callback_failures', 0, 'callback_busy', 0, 'callback_due_since', now)
end
make_callback_due(id, now)
local circuit = CIRCUIT_PREFIX .. host
local open_until, probe_until = unpack(redis.call('HMGET', circuit, 'open_until', 'probe_until'))
if open_until and tonumber(open_until) > now then
  if open_until == probe_until then
    return 'waits'
  end
  redis.call('HSET', circuit, 'open_until', now)
  redis.call('ZADD', CIRCUITS, now, host)
end
local sending = redis.call('GET', FLOW_STATE_PREFIX .. tenant .. ':' .. flow_state)
return sending and sending ~= id and 'waits' or 'due'
