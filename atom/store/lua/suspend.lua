-- ARGV id, fence, position, name, kind, until ('' where it is an event alone), since when by the clock
--      of the caller ('' if `until` is a time that somebody chose, and no delay)
-- Frees the execution of its worker until what it waits for has come; that may have happened already.
-- Returns 1, or 0 where the caller no longer holds the execution.
local id, now = ARGV[1], now_ms()
local of = standing('fence', 'queue', 'limit')
local state, fence, queue, limit = of[1], unpack(of, 6, 8)
if (state == 'suspended' or state == 'accepted') and tonumber(fence) == ARGV[2] + 1 then
  return 1 -- repeated after a lost reply
end
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
local due = ARGV[6]
if due ~= '' and ARGV[7] ~= '' then
  due = now + math.max(0, due - ARGV[7]) -- the clock may have been set since the claim
  redis.call('HSET', EXECUTION, 'due_set_at', now)
else
  redis.call('HDEL', EXECUTION, 'due_set_at')
end
keep_run(now, 'suspended')
move(id, of, 'suspended')
redis.call('HSET', EXECUTION, 'state', 'suspended', 'fence', fence + 1, 'wait_position', ARGV[3],
  'wait_name', ARGV[4], 'wait_kind', ARGV[5], 'wait_until', due)
redis.call('HDEL', EXECUTION, 'losses') -- it came further than where those workers were lost
redis.call('ZREM', LEASES, id)
leave_place(id, of[2], of[3], limit, now)
redis.call('ZADD', SUSPENDED, due == '' and '+inf' or due, id)
local is_over = false
if ARGV[5] == 'signal' then
  is_over = redis.call('HEXISTS', SIGNALS, 'event:' .. ARGV[4]) == 1
elseif ARGV[5] == 'children' then
  is_over = is_join_over()
end
if is_over then
  of[1] = 'suspended'
  wake(id, now, of, queue)
end
return 1
