-- Stands before every script. All times are milliseconds of the server's clock: one clock for all.
-- A script over one execution gets the keys of names.execution_keys, then its own.
local EXECUTION, STEPS, ATTEMPTS, LOG, FINISHED, ACCEPTED, SCHEDULED, LEASES, DEADLINES, CALLBACKS,
  PARKED, HISTORY, EXPIRING, WAITING, COUNTERS = unpack(KEYS)
local OWN_KEYS = 15 -- KEYS[OWN_KEYS + 1] is the first key of the script's own

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local FINAL = {completed = true, faulted = true, failed = true, cancelled = true, timed_out = true}

-- Kept from here on for the history only, and not for ever.
local function expire(id, now, retention_ms)
  for _, key in ipairs({EXECUTION, STEPS, ATTEMPTS, LOG}) do
    redis.call('PEXPIRE', key, retention_ms)
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
  redis.call('HSET', EXECUTION, 'state', state, 'finished_at', now, 'response', response,
    'error', failure, 'callback_failures', 0, 'callback_busy', 0, 'callback_due_since', now)
  redis.call('HINCRBY', COUNTERS, 'finished:' .. state, 1)
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
  redis.call('HSET', EXECUTION, 'state', 'cancelled', 'finished_at', now, 'error',
    'Not started while its caller waited.')
  redis.call('HINCRBY', COUNTERS, 'finished:cancelled', 1)
  end_waiting(id, redis.call('HGET', EXECUTION, 'queue'))
  forget_turns(id)
  retire(id, now, retention_ms)
end
