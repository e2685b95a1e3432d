-- ARGV id, fence, seq, verdict (delivered, kept, retry, parked), due_in_ms, failures, busy,
--      attempt, retention_ms, progress interval_ms, circuit threshold, circuit longest_ms,
--      host (well, troubled, or '' where it was not asked)
-- Returns the ids whose callbacks can go out now, or nothing where another worker took over.
local id, now, verdict = ARGV[1], now_ms(), ARGV[4]

-- The latest 50 tries are one value, a line each: a list would be a key more for each execution.
local function keep_attempt(attempt)
  local kept = redis.call('HGET', DOCUMENTS, 'callback_attempts')
  kept = kept and kept .. '\n' .. attempt or attempt
  if select(2, kept:gsub('\n', '')) == 50 then
    kept = kept:sub(kept:find('\n') + 1)
  end
  redis.call('HSET', DOCUMENTS, 'callback_attempts', kept)
end

local state, callback_state, fence, seq, tenant, flow_state, host = unpack(redis.call('HMGET',
  EXECUTION, 'state', 'callback_state', 'callback_fence', 'callback_seq', 'tenant_id', 'state_id',
  'callback_host'))
if callback_state ~= 'delivering' or fence ~= ARGV[2] then
  return false
end
keep_attempt(ARGV[8])

local circuit = CIRCUIT_PREFIX .. host
if ARGV[13] == 'well' then
  if redis.call('DEL', circuit) == 1 then
    redis.call('ZREM', CIRCUITS, host)
  end
elseif ARGV[13] == 'troubled' then
  local beyond = redis.call('HINCRBY', circuit, 'failures', 1) - ARGV[11]
  if beyond >= 0 then
    local pause = math.min(1000 * 2 ^ math.min(beyond, 20), tonumber(ARGV[12]))
    open_circuit(circuit, host, now + pause)
  end
  redis.call('PEXPIRE', circuit, 3600000)
end

local awake = {}
if flow_state ~= '' then
  local lock = FLOW_STATE_PREFIX .. tenant .. ':' .. flow_state
  if redis.call('GET', lock) == id then
    awake = redis.call('SMEMBERS', lock .. ':waiting')
    redis.call('DEL', lock, lock .. ':waiting')
    for _, each in ipairs(awake) do
      redis.call('ZADD', CALLBACKS, 'XX', now, each)
    end
  end
end

if seq ~= ARGV[3] then
  -- Something newer came while this one was on its way: the outcome at once, progress later.
  redis.call('HSET', EXECUTION, 'callback_failures', 0, 'callback_busy', 0)
  if FINAL[state] then
    make_callback_due(id, now)
    awake[#awake + 1] = id
  else
    make_callback_due(id, now + ARGV[10])
  end
elseif verdict == 'retry' then
  if FINAL[state] then
    keep()
  end
  redis.call('HSET', EXECUTION, 'callback_failures', ARGV[6], 'callback_busy', ARGV[7])
  make_callback_due(id, now + ARGV[5])
else
  redis.call('ZREM', CALLBACKS, id)
  if not FINAL[state] then
    redis.call('HSET', EXECUTION, 'callback_state', 'none') -- progress is shown, or not worth it
  elseif verdict == 'parked' then
    keep()
    redis.call('HSET', EXECUTION, 'callback_state', 'parked')
    redis.call('ZADD', PARKED, now, id)
  else
    redis.call('HSET', EXECUTION, 'callback_state', 'delivered', 'delivered_at', now)
    if verdict == 'kept' then
      expire(ARGV[9]) -- a person may want to send it once more
    else
      retire(ARGV[9])
    end
  end
end
return awake
