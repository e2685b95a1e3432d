-- ARGV id, fence, message, fraction, interval_ms
-- Returns -1 where the caller no longer holds the execution, 1 where a worker is to be woken for the
-- progress callback, 0 where it goes out later (or a newer one in its place, or none at all).
local state, fence, answer, callback_state, sent_at = unpack(redis.call('HMGET', EXECUTION,
  'state', 'fence', 'answer', 'callback_state', 'progress_sent_at'))
if state ~= 'running' or fence ~= ARGV[2] then
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
local due = math.max(now, tonumber(sent_at or 0) + ARGV[5])
make_callback_due(ARGV[1], due)
return due == now and should_wake() or 0
