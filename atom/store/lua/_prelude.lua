-- Stands before every script. All times are milliseconds of the server's clock: one clock for all.
-- A script over one execution gets the keys of names.execution_keys, then its own.
local EXECUTION, STEPS, ATTEMPTS, LOG, FINISHED, ACCEPTED, SCHEDULED, LEASES, DEADLINES, CALLBACKS,
  PARKED, FAILED, HISTORY, EXPIRING, WAITING, COUNTERS, MINUTES = unpack(KEYS)
local OWN_KEYS = 17 -- KEYS[OWN_KEYS + 1] is the first key of the script's own

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local FINAL = {completed = true, faulted = true, failed = true, cancelled = true, timed_out = true}
local UNTOLD = {due = true, delivering = true, parked = true}

-- Where people look for it, beside HISTORY: what is known by its process, and by its tenant, in
-- each state; all by the time of acceptance.
local function by_process(service, action, state)
  return HISTORY .. ':process:' .. service .. '.' .. action .. ':' .. state
end

local function by_tenant(tenant, state)
  return HISTORY .. ':tenant:' .. tenant .. ':' .. state
end

-- What happened in each of the last minutes, and how often.
local function count_minute(now, what)
  local minute = MINUTES .. ':' .. math.floor(now / 60000)
  if redis.call('HINCRBY', minute, what, 1) == 1 then
    redis.call('PEXPIRE', minute, 7200000)
  end
end

-- Every change of the state goes this way, so that it is found in the state that it is in.
local function enter(id, state)
  local before, service, action, tenant, accepted_at = unpack(redis.call('HMGET', EXECUTION,
    'state', 'service', 'action', 'tenant_id', 'accepted_at'))
  if before ~= state then
    redis.call('ZREM', by_process(service, action, before), id)
    redis.call('ZREM', by_tenant(tenant, before), id)
    redis.call('HSET', EXECUTION, 'state', state)
  end
  redis.call('ZADD', by_process(service, action, state), accepted_at, id)
  redis.call('ZADD', by_tenant(tenant, state), accepted_at, id)
end

-- An attempt is over, and another one may follow: it is kept how it went. The first one's start is
-- the execution's own.
local function keep_run(ended_at, how)
  local runs, started_at, latest_at, worker = unpack(redis.call('HMGET', EXECUTION, 'runs',
    'started_at', 'run_started_at', 'worker'))
  local began_at = latest_at or (not runs and started_at)
  if not began_at then
    return -- none was begun since
  end
  runs = runs and cjson.decode(runs) or {}
  runs[#runs + 1] = {tonumber(began_at), tonumber(ended_at), worker, how}
  while #runs > 20 do
    table.remove(runs, 1)
  end
  redis.call('HSET', EXECUTION, 'runs', cjson.encode(runs))
  redis.call('HDEL', EXECUTION, 'run_started_at')
end

-- Kept from here on for the history only, until trim() forgets it. Where that does not run, Redis
-- does it a day later.
local function expire(id, now, retention_ms)
  for _, key in ipairs({EXECUTION, STEPS, ATTEMPTS, LOG}) do
    redis.call('PEXPIRE', key, retention_ms + 86400000)
  end
  redis.call('ZADD', EXPIRING, now + retention_ms, id)
end

-- Nothing is left to do for it, and so nothing that is secret in it is needed.
local function retire(id, now, retention_ms)
  redis.call('HDEL', EXECUTION, 'authorization', 'token', 'private_request', 'private_response')
  expire(id, now, retention_ms)
end

-- Undoes expire(): the execution or its callback is under way again.
local function revive(id)
  for _, key in ipairs({EXECUTION, STEPS, ATTEMPTS, LOG}) do
    redis.call('PERSIST', key)
  end
  redis.call('ZREM', EXPIRING, id)
end

-- The execution waits for a worker of its queue, from `since` on. What the third format or an
-- earlier one accepted knows no queue, and is in none of these indexes.
local function begin_waiting(id, queue, since)
  if queue then
    redis.call('SADD', WAITING, queue)
    redis.call('ZADD', WAITING .. ':' .. queue, since, id)
  end
end

local function end_waiting(id, queue)
  if queue then
    redis.call('ZREM', WAITING .. ':' .. queue, id)
  end
end

local function forget_turns(id)
  for _, index in ipairs({ACCEPTED, SCHEDULED, LEASES, DEADLINES}) do
    redis.call('ZREM', index, id)
  end
end

-- Forgets the faults and failures that the journal ends with, so that those steps run again.
local function drop_failed_steps()
  local position = 0 -- the last; one before it may be missing, where it was too large
  for _, each in ipairs(redis.call('HKEYS', STEPS)) do
    position = math.max(position, tonumber(each))
  end
  while position > 0 do
    local step = redis.call('HGET', STEPS, position)
    if not step or not cjson.decode(step)[3] then
      return
    end
    redis.call('HDEL', STEPS, position)
    position = position - 1
  end
end

-- Nothing is sent to the host until then, but for one look whether it is well.
local function open_circuit(circuits, circuit, host, open_until)
  redis.call('HSET', circuit, 'open_until', open_until)
  redis.call('ZADD', circuits, open_until, host)
  redis.call('PEXPIRE', circuits, 3600000)
end

local function make_callback_due(id, due)
  redis.call('HSET', EXECUTION, 'callback_state', 'due', 'callback_due_at', due)
  redis.call('ZADD', CALLBACKS, due, id)
end

-- Writes the outcome and the callback that is due for it; the caller has checked that it may.
-- `private` is the response with its secrets, '' where it has none.
-- Returns 1 where the callback should go out now, 0 where something else will see to it.
local function finish(id, now, state, response, failure, private, retention_ms)
  local answer, answer_until, callback_state =
    unpack(redis.call('HMGET', EXECUTION, 'answer', 'answer_until', 'callback_state'))
  redis.call('HINCRBY', EXECUTION, 'callback_seq', 1)
  enter(id, state)
  redis.call('HSET', EXECUTION, 'finished_at', now, 'response', response, 'error', failure,
    'callback_failures', 0, 'callback_busy', 0, 'callback_due_since', now)
  redis.call('HINCRBY', COUNTERS, 'finished:' .. state, 1)
  count_minute(now, state)
  if state == 'failed' or state == 'timed_out' then
    redis.call('ZADD', FAILED, now, id)
  end
  forget_turns(id)
  if answer == 'only' or answer == 'late' then
    -- The request itself is answered or nobody is: the result goes straight to who waits.
    if answer == 'only' then
      redis.call('LPUSH', FINISHED, state .. ' ' .. (private ~= '' and private or response))
      redis.call('PEXPIRE', FINISHED, 60000)
    end
    retire(id, now, retention_ms)
    return 0
  end
  if private ~= '' then
    redis.call('HSET', EXECUTION, 'private_response', private)
  end
  if callback_state == 'delivering' then
    return 0 -- a progress callback is on its way; recording its answer makes this one due
  end
  local due = now
  if answer == 'pending' then
    -- A listener waits to answer with it. Should that listener die, the callback follows.
    due = math.max(now, tonumber(answer_until))
    redis.call('LPUSH', FINISHED, '1')
    redis.call('PEXPIRE', FINISHED, 60000)
  end
  make_callback_due(id, due)
  return due == now and 1 or 0
end

-- Ends a synchronous request that nobody has started.
local function withdraw(id, now, retention_ms)
  enter(id, 'cancelled')
  redis.call('HSET', EXECUTION, 'finished_at', now, 'error',
    'Not started while its caller waited.')
  redis.call('HINCRBY', COUNTERS, 'finished:cancelled', 1)
  count_minute(now, 'cancelled')
  end_waiting(id, redis.call('HGET', EXECUTION, 'queue'))
  forget_turns(id)
  retire(id, now, retention_ms)
end
