-- ARGV id, fence, entry, kind, until ('' if only an event ends the wait), the start of the delay by the
--      clock of the caller ('' if `until` is a time of choice), the reason of a hold (sealed)
-- Frees the execution of its worker until the event that it waits for; that may have come already.
-- A hold (the journal does not fit the code) is indexed, and keeps the wait that it interrupts.
-- Returns 1, or 0 if the caller no longer holds the execution.
local id, now = ARGV[1], now_ms()
local of = standing('fence', 'queue', 'limit')
local state, fence, queue, limit = of[1], unpack(of, 6, 8)
if (state == 'suspended' or state == 'accepted') and tonumber(fence) == ARGV[2] + 1 then
  return 1 -- repeated after a lost reply
end
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
local entry, kind, due = ARGV[3], ARGV[4], ARGV[5]
set_wait_aside(entry, kind)
if due ~= '' and ARGV[6] ~= '' then
  due = now + math.max(0, due - ARGV[6]) -- the clock may have been set since the claim
  redis.call('HSET', EXECUTION, 'due_set_at', now)
else
  redis.call('HDEL', EXECUTION, 'due_set_at')
end
if kind == 'held' then
  keep_run(now, 'held')
  redis.call('HSETNX', EXECUTION, 'held_since', now)
  redis.call('HSET', EXECUTION, 'error', ARGV[7])
  redis.call('ZADD', HELD_EXECUTIONS, redis.call('HGET', EXECUTION, 'held_since'), id)
else
  keep_run(now, 'suspended')
  end_hold(id)
end
move(id, of, 'suspended')
redis.call('HSET', EXECUTION, 'state', 'suspended', 'fence', fence + 1, 'wait_entry', entry,
  'wait_kind', kind, 'wait_until', due)
redis.call('HDEL', EXECUTION, 'losses') -- it came further than where those workers were lost
redis.call('ZREM', LEASES, id)
leave_place(id, of[2], of[3], limit, now)
redis.call('ZADD', SUSPENDED, due == '' and '+inf' or due, id)
local is_over = false
if kind == 'signal' then
  is_over = redis.call('HEXISTS', SIGNALS, 'event:' .. signal_of(entry)) == 1
elseif kind == 'children' then
  is_over = is_join_over()
end
if is_over then
  of[1] = 'suspended'
  wake(id, now, of, queue)
end
return 1
