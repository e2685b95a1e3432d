-- KEYS execution, callbacks, attempts
-- ARGV id, fence, seq, verdict (delivered, retry, parked), due_in_ms, failures, busy, attempt,
--      retention_ms, flow-state prefix, progress interval_ms
-- Returns the ids whose callbacks can go out now, or nothing where another worker took over.
local id, now = ARGV[1], now_ms()
local state, callback_state, fence, seq, tenant, flow_state = unpack(redis.call('HMGET', KEYS[1],
  'state', 'callback_state', 'callback_fence', 'callback_seq', 'tenant_id', 'state_id'))
if callback_state ~= 'delivering' or fence ~= ARGV[2] then
  return false
end
redis.call('RPUSH', KEYS[3], ARGV[8])
redis.call('LTRIM', KEYS[3], -50, -1)
local awake = {}
if flow_state ~= '' then
  local lock = ARGV[10] .. tenant .. ':' .. flow_state
  if redis.call('GET', lock) == id then
    redis.call('DEL', lock)
    awake = redis.call('SMEMBERS', lock .. ':waiting')
    redis.call('DEL', lock .. ':waiting')
  end
end
local function due_at(time)
  redis.call('HSET', KEYS[1], 'callback_state', 'due', 'callback_due_at', time)
  redis.call('ZADD', KEYS[2], time, id)
end
if seq ~= ARGV[3] then
  -- Something newer came while this one was on its way: the outcome at once, progress later.
  redis.call('HSET', KEYS[1], 'callback_failures', 0, 'callback_busy', 0)
  if FINAL[state] then
    due_at(now)
    awake[#awake + 1] = id
  else
    due_at(now + ARGV[11])
  end
elseif ARGV[4] == 'retry' then
  redis.call('HSET', KEYS[1], 'callback_failures', ARGV[6], 'callback_busy', ARGV[7])
  due_at(now + ARGV[5])
else
  redis.call('ZREM', KEYS[2], id)
  if not FINAL[state] then
    redis.call('HSET', KEYS[1], 'callback_state', 'none') -- progress is shown, or not worth it
  elseif ARGV[4] == 'delivered' then
    redis.call('HSET', KEYS[1], 'callback_state', 'delivered', 'delivered_at', now)
    retire(KEYS[1], ARGV[9])
  else
    redis.call('HSET', KEYS[1], 'callback_state', 'parked', 'parked_at', now)
  end
end
return awake
