-- ARGV id, state (timed_out or cancelled), response, error, retention_ms
-- Ends an execution from outside. Returns {state before, what finish() says, WAKEUPS}, or nothing
-- where there is nothing to end: it has ended, or its deadline has not passed.
local row = standing('deadline', 'queue', 'fence')
local state, deadline, queue, fence = row[1], row[6], row[7], row[8]
local now = now_ms()
if not state or FINAL[state] then
  redis.call('ZREM', DEADLINES, ARGV[1])
  return false
end
if ARGV[2] == 'timed_out' and tonumber(deadline) > now then
  return false
end
redis.call('HSET', EXECUTION, 'fence', (fence or 0) + 1) -- whoever still runs it writes nothing more
end_waiting(ARGV[1], queue)
local due = finish(ARGV[1], now, row, ARGV[2], ARGV[3], ARGV[4], '', ARGV[5])
return {state, due, WAKEUPS}
