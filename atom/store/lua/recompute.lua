-- ARGV index (a key of REPAIRS), cursor ('0' at first), how many, tolerance_ms, lease_ms
-- After the clock was set back: recompute the times of a part of an index that were set by the clock
-- before. A delay keeps its length, from now on. A time that somebody chose is not changed. May be
-- repeated. Returns {the cursor of the next part, '0' after the last, how many were changed}.
local now = now_ms()
local ahead, lease = now + ARGV[4], now + ARGV[5]

local function was_set_before(set_at)
  return set_at and tonumber(set_at) > ahead
end

-- A delay that began at `set_at`, from now on.
local function moved(due, set_at)
  return now + math.max(0, due - set_at)
end

local function not_after_now(field, value)
  if value and tonumber(value) > now then
    redis.call('HSET', EXECUTION, field, now)
  end
end

local function move_waiting(queue, id, since)
  if redis.call('ZSCORE', WAITING .. ':' .. queue, id) then
    redis.call('ZADD', WAITING .. ':' .. queue, since, id)
  end
end

local function scheduled(id)
  local due, set_at, queue = unpack(redis.call('HMGET', EXECUTION, 'not_before', 'due_set_at',
    'queue'))
  if was_set_before(set_at) then
    due = moved(due, set_at)
    redis.call('HSET', EXECUTION, 'not_before', due, 'due_set_at', now)
    redis.call('ZADD', SCHEDULED, due, id)
    move_waiting(queue, id, due)
    return true
  end
end

local function suspended(id)
  local due, set_at = unpack(redis.call('HMGET', EXECUTION, 'wait_until', 'due_set_at'))
  if was_set_before(set_at) then
    due = moved(due, set_at)
    redis.call('HSET', EXECUTION, 'wait_until', due, 'due_set_at', now)
    redis.call('ZADD', SUSPENDED, due, id)
    return true
  end
end

local function accepted(id, score)
  local not_before, queue = unpack(redis.call('HMGET', EXECUTION, 'not_before', 'queue'))
  not_after_now('not_before', not_before)
  local since = queue and tonumber(redis.call('ZSCORE', WAITING .. ':' .. queue, id))
  if since and since > now then
    move_waiting(queue, id, now)
  end
  if score ~= math.huge and score > now + REPUBLISH_MS then
    redis.call('ZADD', ACCEPTED, now + REPUBLISH_MS, id)
    return true
  end
end

local function leases(id, score)
  local lease_until = tonumber(redis.call('HGET', EXECUTION, 'lease_until'))
  if lease_until and lease_until > lease then
    redis.call('HSET', EXECUTION, 'lease_until', lease)
  end
  if score > lease then
    redis.call('ZADD', LEASES, lease, id)
    return true
  end
end

local function deadlines(id)
  local deadline, accepted_at, timeout_ms = unpack(redis.call('HMGET', EXECUTION, 'deadline',
    'accepted_at', 'timeout_ms'))
  timeout_ms = timeout_ms or was_set_before(accepted_at) and deadline - accepted_at
  if timeout_ms and tonumber(deadline) > now + timeout_ms then
    redis.call('HSET', EXECUTION, 'deadline', now + timeout_ms, 'timeout_ms', timeout_ms)
    redis.call('ZADD', DEADLINES, now + timeout_ms, id)
    return true
  end
end

local function callbacks(id, score)
  local state, due, set_at, since, sent_at, tenant, flow_state = unpack(redis.call('HMGET', EXECUTION,
    'callback_state', 'callback_due_at', 'callback_set_at', 'callback_due_since',
    'progress_sent_at', 'tenant_id', 'state_id'))
  if not due then
    return false
  end
  not_after_now('callback_due_since', since)
  not_after_now('progress_sent_at', sent_at)
  if was_set_before(set_at) then
    due = moved(due, set_at)
    redis.call('HSET', EXECUTION, 'callback_due_at', due, 'callback_set_at', now)
    local lock = FLOW_STATE_PREFIX .. tenant .. ':' .. flow_state
    if state == 'delivering' and redis.call('GET', lock) == id then
      redis.call('PEXPIRE', lock, math.max(1, due - now))
    end
  end
  if score > math.max(now, tonumber(due)) then -- put off by a look, or by a lock of its flow state
    redis.call('ZADD', CALLBACKS, math.max(now, tonumber(due)), id)
    return true
  end
end

-- What is in no index of executions: roles that were seen, circuits, places that may still be taken.
local function others()
  redis.call('DEL', WOKEN, ATTENDED)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', PRESENCES, ahead + 30000, '+inf')) do
    redis.call('ZADD', PRESENCES, now + 30000, member)
    redis.call('PEXPIRE', PRESENCE_PREFIX .. member:gsub('%z', ':', 1), 30000)
  end
  for _, host in ipairs(redis.call('ZRANGEBYSCORE', CIRCUITS, ahead, '+inf')) do
    redis.call('ZADD', CIRCUITS, now, host)
    redis.call('HSET', CIRCUIT_PREFIX .. host, 'open_until', now)
  end
  for _, process in ipairs(redis.call('SMEMBERS', HISTORY .. ':processes')) do
    local places = LEAVING .. ':' .. process
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', places, '(' .. lease, '+inf')) do
      redis.call('ZADD', places, lease, member)
    end
  end
end

local REPAIRS = {scheduled = {SCHEDULED, scheduled}, suspended = {SUSPENDED, suspended},
  accepted = {ACCEPTED, accepted}, leases = {LEASES, leases}, deadlines = {DEADLINES, deadlines},
  callbacks = {CALLBACKS, callbacks}}

local index, repair = unpack(REPAIRS[ARGV[1]] or {})
if not index then
  others()
  return {'0', 0}
end
local cursor, found = unpack(redis.call('ZSCAN', index, ARGV[2], 'COUNT', ARGV[3]))
local count = 0
for at = 1, #found, 2 do
  look_at(EXECUTION_PREFIX .. found[at])
  if repair(found[at], tonumber(found[at + 1])) then
    count = count + 1
  end
end
return {cursor, count}
