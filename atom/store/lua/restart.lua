-- ARGV id, mode (start, failed_step or step), 1 if the caller can read what it needs (0: its key is
--      missing), 1 if the events of signals are dropped; for the mode `step` also the number of the
--      first record that is dropped ('' if there is no such step), its SHA-1, and then the entries of
--      earlier records whose completed children are kept
-- Runs an ended execution once more. Returns 'restarted', or why not: 'unknown', 'unfinished',
-- 'child' (nobody would take its result), 'completed' (it has no failed step), 'undelivered' (its
-- callback is still being sent), 'secret' (the secrets of its request were deleted), 'cleanup' (the
-- cleanup of its last end has begun and not ended), 'unreadable', 'no_step', 'changed' (the record is
-- not the one that the caller has read). A cleanup that has not begun is cancelled.
local id, now = ARGV[1], now_ms()
local state, callback_state, was_private, timeout_ms, deadline, accepted_at, answer, queue,
  finished_at, parent, fence, is_cleanup = unpack(redis.call('HMGET', EXECUTION, 'state',
    'callback_state', 'is_private', 'timeout_ms', 'deadline', 'accepted_at', 'answer', 'queue',
    'finished_at', 'parent', 'fence', 'ending_state'))
local token, private = documents('token', 'private_request')
if not state then
  return 'unknown'
end
if not FINAL[state] then
  return 'unfinished'
end
if parent and not is_cleanup then
  return 'child'
end
if state == 'completed' and ARGV[2] == 'failed_step' then
  return 'completed'
end
if callback_state == 'due' or callback_state == 'delivering' then
  return 'undelivered'
end
if was_private and not private then
  return 'secret'
end
local cleanup, has_begun = unfinished_cleanup(id, accepted_at, fence)
if has_begun then
  return 'cleanup'
end
if ARGV[3] == '0' then
  return 'unreadable'
end
local order = tonumber(ARGV[5])
if ARGV[2] == 'step' then
  if not order then
    return 'no_step'
  end
  local record = redis.call('HGET', STEPS, order)
  if not record or redis.sha1hex(record) ~= ARGV[6] then
    return 'changed'
  end
end
if ARGV[2] == 'start' then
  redis.call('UNLINK', STEPS, JOIN, HELD)
  forget_completed({})
  forget_wait()
elseif ARGV[2] == 'step' then
  local kept = {}
  for at = 7, #ARGV do
    kept[ARGV[at]] = true
  end
  redis.call('UNLINK', JOIN, HELD)
  forget_completed(kept)
  drop_steps_from(order)
else
  drop_failed_steps()
  leave_join() -- its other children were ended with it, or do not begin
end
restore_signals(ARGV[4] == '1')
keep()
keep_run(finished_at, state)
redis.call('ZREM', PARKED, id)
redis.call('ZREM', FAILED, id)
redis.call('HINCRBY', EXECUTION, 'fence', 1)
redis.call('HDEL', EXECUTION, 'finished_at', 'error', 'losses', 'tries', 'delivered_at', 'progress',
  'progress_fraction', 'is_resumed', 'is_acknowledged')
redis.call('HDEL', DOCUMENTS, 'response', 'private_response')
-- Its flow has moved on where the token is spent: then the result goes to the history alone.
if not token or token == '' then
  redis.call('HSET', EXECUTION, 'answer', 'late')
elseif answer == 'inline' then
  redis.call('HDEL', EXECUTION, 'answer')
end
timeout_ms = timeout_ms or deadline - accepted_at -- from now on nobody could tell it from these
deadline = now + timeout_ms
enter(id, 'accepted')
redis.call('HSET', EXECUTION, 'callback_state', 'none', 'not_before', now, 'deadline', deadline,
  'timeout_ms', timeout_ms, 'restarted_at', '') -- set when its next attempt starts
redis.call('ZADD', DEADLINES, deadline, id)
put_off(id, queue, now, now)
if is_cleanup then
  open_cleanup(id)
elseif cleanup then
  look_at(EXECUTION_PREFIX .. cleanup)
  withdraw(cleanup, now, 0, 'Not started: its execution was retried.')
end
return 'restarted'
