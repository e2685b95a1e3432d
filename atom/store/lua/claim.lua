-- ARGV id, worker, holder (unique to this call, so that it can be repeated), lease_ms,
--      retention_ms, version (of the service), format (the one that the caller can read),
--      max_concurrency (0: none), 1 if its action has a cleanup,
--      digest of its profiles
-- Returns the execution as two flat lists of fields and values, the second of its documents, and of a
-- child the request and the private request of its parent, or where that is an item, which has none
-- of a flow, of the next of its ancestors that is none; or nothing where there is nothing to claim: it
-- is unknown, not due yet, held by another worker, suspended, finished, of another format (of another
-- version of this software), or as many of its process run as may.
local id, now = ARGV[1], now_ms()
local row = standing('holder', 'lease_until', 'answer', 'answer_until', 'not_before', 'format',
  'queue', 'fence', 'attempts', 'started_at', 'is_resumed', 'parent', 'limit', 'priority',
  'restarted_at', 'is_item', 'ending_state', 'has_cleanup', 'version', 'profiles')
local state, _, _, _, _, holder, lease_until, answer, answer_until, not_before, format, queue,
  fence, attempts, started_at, is_resumed, parent, limit, priority, restarted_at, is_item,
  is_cleanup, has_cleanup, accepted_by, profiles = unpack(row, 1, 25)
local max_concurrency, wants_cleanup = tonumber(ARGV[8]), ARGV[9] == '1'
if is_item or is_cleanup then
  max_concurrency = 0 -- a map limits its own items
  wants_cleanup = false
end
if not state or FINAL[state] then
  redis.call('ZREM', ACCEPTED, id)
  redis.call('ZREM', SCHEDULED, id)
  redis.call('ZREM', SUSPENDED, id)
  redis.call('ZREM', LEASES, id)
  if not state then
    redis.call('ZREM', DEADLINES, id)
    for _, each in ipairs(redis.call('SMEMBERS', WAITING)) do
      redis.call('ZREM', WAITING .. ':' .. each, id)
    end
  end
  return false
end
if format ~= ARGV[7] then
  return false
end
if state == 'accepted' and answer == 'only' and tonumber(answer_until) < now then
  withdraw(id, now, ARGV[5], 'Not started while its caller waited.')
  return false
end
if state == 'accepted' and parent and not is_cleanup then
  local parent_state = redis.call('HGET', EXECUTION_PREFIX .. parent, 'state')
  if not parent_state or FINAL[parent_state] then
    withdraw(id, now, ARGV[5], 'Not started before its parent ended.')
    return false
  end
  local index = redis.call('HGET', EXECUTION, 'parent_index')
  if redis.call('HGET', EXECUTION_PREFIX .. parent .. ':join', 'id:' .. index) ~= id then
    withdraw(id, now, ARGV[5], 'Not started: its parent, which ran again, waits for others.')
    return false
  end
end
if holder ~= ARGV[3] then
  if state == 'running' then
    if tonumber(lease_until) > now then
      return false
    end
    redis.call('HINCRBY', EXECUTION, 'losses', 1)
    redis.call('HINCRBY', COUNTERS, 'lease_lost', 1)
    keep_run(lease_until, 'lost')
  elseif state == 'suspended' or tonumber(not_before or 0) > now then
    return false
  end
  if max_concurrency > 0 and limit ~= ARGV[8] then
    redis.call('HSET', EXECUTION, 'limit', ARGV[8])
  end
  if state == 'accepted' and max_concurrency > 0 and not has_place(id, now, row, max_concurrency) then
    step_aside(id, now, row, queue, priority)
    return false
  end
  local lease = now + ARGV[4]
  redis.call('HSET', EXECUTION, 'state', 'running', 'fence', fence + 1, 'attempts',
    attempts + (is_resumed and 0 or 1),
    started_at and 'run_started_at' or 'started_at', now, 'worker', ARGV[2], 'holder', ARGV[3],
    'lease_until', lease, 'worker_version', ARGV[6])
  if wants_cleanup and not has_cleanup then
    redis.call('HSET', EXECUTION, 'has_cleanup', 1)
  elseif has_cleanup and not wants_cleanup then
    redis.call('HDEL', EXECUTION, 'has_cleanup') -- the code that runs it now declares none
  end
  if accepted_by ~= ARGV[6] or profiles ~= ARGV[10] then
    -- It stays so: what this attempt records may be read by the version that accepted it.
    redis.call('HSET', EXECUTION, 'is_of_several_versions', 1)
  end
  if state ~= 'running' then
    move(id, row, 'running')
  end
  if max_concurrency > 0 then
    take_place(id, row)
  end
  if is_resumed then
    redis.call('HDEL', EXECUTION, 'is_resumed')
  end
  if restarted_at == '' then
    redis.call('HSET', EXECUTION, 'restarted_at', now)
  end
  end_waiting(id, now, row, queue, limit)
  redis.call('ZADD', LEASES, lease, id)
end
local asked = not is_cleanup and parent -- a cleanup has a copy of the request
while asked and redis.call('HEXISTS', EXECUTION_PREFIX .. asked, 'is_item') == 1 do
  asked = redis.call('HGET', EXECUTION_PREFIX .. asked, 'parent')
end
return {redis.call('HGETALL', EXECUTION), redis.call('HGETALL', DOCUMENTS), asked and redis.call(
  'HMGET', EXECUTION_PREFIX .. asked .. ':documents', 'request', 'private_request')}
