-- ARGV execution prefix, how many of an index are looked at for what is late, put_off_ms (by which
--      a look at what is due puts it off at most)
-- Returns the time and what records.Overview holds, in its order.
local now = now_ms()

-- How many are late, and since when the first is ('' where none is). The index alone does not
-- tell: whoever looked at them last has put them off there.
local function late(index, field)
  local count, since = 0, ''
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now + ARGV[3],
    'LIMIT', 0, ARGV[2])) do
    local due = tonumber(redis.call('HGET', ARGV[1] .. id, field))
    if due and due <= now then
      count = count + 1
      since = since == '' and due or math.min(since, due)
    end
  end
  return count, since
end

local queues = {}
for _, queue in ipairs(redis.call('SMEMBERS', WAITING)) do
  local index = WAITING .. ':' .. queue
  local first = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  queues[#queues + 1] = {queue, redis.call('ZCOUNT', index, '-inf', now), first[2] or ''}
end
-- At which processes executions wait for a place, and how many.
local held_back = {}
for _, process in ipairs(redis.call('SMEMBERS', LINES)) do
  local count = 0
  for _, tenant in ipairs(redis.call('ZRANGE', LINES .. ':' .. process, 0, -1)) do
    count = count + redis.call('ZCARD', line(process, tenant))
  end
  if count > 0 then
    held_back[#held_back + 1], held_back[#held_back + 2] = process, count
  end
end
local lost = late(LEASES, 'lease_until')
local overdue = late(DEADLINES, 'deadline')
local _, late_since = late(CALLBACKS, 'callback_due_at')
return {now, queues, redis.call('ZCOUNT', SCHEDULED, '(' .. now, '+inf'),
  redis.call('ZCARD', SUSPENDED), redis.call('ZCARD', LEASES), lost, overdue,
  redis.call('ZCARD', CALLBACKS), tostring(late_since),
  redis.call('ZCARD', PARKED), redis.call('ZCARD', FAILED), redis.call('ZCARD', HELD_EXECUTIONS),
  redis.call('ZRANGEBYSCORE', CIRCUITS, '(' .. now, '+inf', 'WITHSCORES'),
  redis.call('HGETALL', PAUSED), redis.call('HGETALL', COUNTERS), held_back,
  redis.call('ZCARD', HISTORY), redis.call('HMGET', CLOCK, 'changed_at', 'changed_by')}
