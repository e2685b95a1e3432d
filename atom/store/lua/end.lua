-- ARGV id, state (timed_out or cancelled), response, error, retention_ms
-- Ends an execution from outside. Returns {state before, 1 or 0 as finish() says}, or nothing
-- where there is nothing to end: it has ended, or its deadline has not passed.
local row = standing('deadline', 'queue', 'fence', 'limit', 'lease_until', 'started_at')
local state, deadline, queue, fence, limit, lease_until, started_at = row[1], unpack(row, 6, 11)
local now = now_ms()
if not state or FINAL[state] then
  redis.call('ZREM', DEADLINES, ARGV[1])
  return false
end
if ARGV[2] == 'timed_out' and tonumber(deadline) > now then
  return false
end
redis.call('HSET', EXECUTION, 'fence', fence + 1) -- a worker that still runs it writes nothing more
if state == 'accepted' then
  end_waiting(ARGV[1], now, row, queue, limit)
elseif state == 'running' and limit then
  keep_place(ARGV[1], fence, row[2], row[3], lease_until)
end
local is_awaited = finish(ARGV[1], now, row, ARGV[2], ARGV[3], ARGV[4], '', ARGV[5])
if state ~= 'running' and started_at then
  -- No message of it is under way. One more lets a worker report the end to Flower.
  redis.call('ZADD', SCHEDULED, now, ARGV[1])
end
return {state, is_awaited}
