-- Cleanups: executions that run after the end of another one, which is their parent. They are children
-- that nobody waits for. CLEANUPS of the root of a family is a sorted set of those that have not ended
-- (score 0) and those that failed and are in the inbox (score 1). The root is kept while one of them
-- has not ended.

local MIN_CLEANUP_MS = 86400000 -- a deadline counts from the acceptance: workers may be away for hours

-- Return the id of the cleanup of an end. Each end of an execution has its own fence.
local function cleanup_id(id, accepted_at, fence)
  local digest = redis.sha1hex('cleanup/' .. id .. '/' .. accepted_at .. '/' .. fence)
  return table.concat({digest:sub(1, 8), digest:sub(9, 12), '5' .. digest:sub(14, 16),
    'a' .. digest:sub(18, 20), digest:sub(21, 32)}, '-')
end

-- Note that a cleanup, whose record exists, has not ended.
local function open_cleanup(id)
  local root = redis.call('HGET', EXECUTION_PREFIX .. id, 'root')
  look_at(EXECUTION_PREFIX .. root)
  if redis.call('EXISTS', EXECUTION) == 1 then
    redis.call('ZADD', CLEANUPS, 0, id)
    keep()
  end
end

-- Note that a failed cleanup has left the inbox.
local function close_cleanup(id)
  local root, is_cleanup = unpack(redis.call('HMGET', EXECUTION, 'root', 'ending_state'))
  if is_cleanup then
    redis.call('ZREM', EXECUTION_PREFIX .. root .. ':cleanups', id)
  end
end

-- Create the cleanup of the execution that is looked at, before that is retired: the cleanup gets a
-- copy of the request. `of` as for move().
function start_cleanup(id, now, of, state, failure)
  local kept = {'queue', 'priority', 'state_id', 'format', 'trace', 'version', 'profiles',
    'is_private'}
  local execution, names = EXECUTION, {'root', 'fence', 'deadline', 'timeout_ms', unpack(kept)}
  local row = {}
  for index, value in ipairs(redis.call('HMGET', EXECUTION, unpack(names))) do
    row[names[index]] = value
  end
  local copied = {ending_error = failure ~= '' and failure}
  copied.request, copied.private_request, copied.authorization =
    documents('request', 'private_request', 'authorization')
  local cleanup = cleanup_id(id, of[5], row.fence)
  redis.call('RPUSH', CHILDREN, cleanup)
  look_at(EXECUTION_PREFIX .. cleanup)
  local timeout_ms = math.max(row.timeout_ms or row.deadline - of[5], MIN_CLEANUP_MS)
  redis.call('HSET', EXECUTION, 'state', 'accepted', 'accepted_at', now, 'deadline',
    now + timeout_ms, 'timeout_ms', timeout_ms, 'attempts', 0, 'fence', 0, 'callback_state', 'none',
    'callback_uri', '', 'answer', 'late', 'service', of[2], 'action', of[3], 'tenant_id', of[4],
    'parent', id, 'root', row.root or id, 'ending_state', state)
  for _, name in ipairs(kept) do
    if row[name] then
      redis.call('HSET', EXECUTION, name, row[name])
    end
  end
  for name, content in pairs(copied) do
    if content then
      redis.call('HSET', DOCUMENTS, name, content)
    end
  end
  redis.call('ZADD', DEADLINES, now + timeout_ms, cleanup)
  wait_for_turn(cleanup, now, standing(), row.queue, row.priority)
  open_cleanup(cleanup)
  look_at(execution)
end

-- Note the end of the cleanup that is looked at. The last of a family lets it expire, unless something
-- else is still to be done for the root.
function cleanup_ended(id, state, retention_ms)
  look_at(EXECUTION_PREFIX .. redis.call('HGET', EXECUTION, 'root'))
  if state == 'failed' or state == 'timed_out' then
    redis.call('ZADD', CLEANUPS, 'XX', 1, id)
  else
    redis.call('ZREM', CLEANUPS, id)
  end
  local root_state, callback_state, is_kept = unpack(redis.call('HMGET', EXECUTION, 'state',
    'callback_state', 'is_kept'))
  local is_open = callback_state == 'due' or callback_state == 'delivering'
    or callback_state == 'parked'
  if is_kept and FINAL[root_state] and not is_open then
    expire(retention_ms)
  end
end

-- Return the cleanup of the last end of an execution if it has not ended, and whether it has begun.
local function unfinished_cleanup(id, accepted_at, fence)
  local cleanup = cleanup_id(id, accepted_at, fence)
  local state, started_at = unpack(redis.call('HMGET', EXECUTION_PREFIX .. cleanup, 'state',
    'started_at'))
  if not state or FINAL[state] then
    return nil, false
  end
  return cleanup, started_at and true
end
