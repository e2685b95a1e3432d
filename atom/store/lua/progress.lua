-- ARGV id, fence ('' from the worker that ended a child), message, fraction, interval_ms, and in that case
--      the entry at which the parent waits
-- Returns -1 where the caller no longer holds the execution, 1 where a worker is to be woken for the
-- progress callback, 0 where it goes out later (or a newer one in its place, or none at all).
local state, fence, answer, callback_state, sent_at, entry = unpack(redis.call('HMGET',
  EXECUTION, 'state', 'fence', 'answer', 'callback_state', 'progress_sent_at', 'wait_entry'))
local is_holder = state == 'running' and fence == ARGV[2]
local is_child = ARGV[2] == '' and state == 'suspended' and entry == ARGV[6]
if not is_holder and not is_child then
  return -1
end
local now = now_ms()
redis.call('HSET', EXECUTION, 'progress', ARGV[3], 'progress_fraction', ARGV[4], 'progress_at', now)
if answer == 'pending' then
  return 0 -- the flow has no WAIT answer yet; the listener will put the message into it
end
if answer == 'only' or answer == 'late' then
  return 0 -- no flow waits for this one
end
redis.call('HINCRBY', EXECUTION, 'callback_seq', 1)
if callback_state == 'delivering' then
  return 0
end
-- One that was sent in what is the future by now was sent before the clock was set back.
local due = math.max(now, math.min(now, tonumber(sent_at or 0)) + ARGV[5])
make_callback_due(ARGV[1], due)
return due == now and should_wake() or 0
