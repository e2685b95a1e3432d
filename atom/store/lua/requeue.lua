-- ARGV id, queue that its process has by now ('' where no service declares it any more)
-- The execution waits there from now on, or outside of any window: those behind it in its old one need
-- not wait with it. Recovery looks at it as before. Returns what is to be published.
PUBLISHES = true
local id, queue, now = ARGV[1], ARGV[2], now_ms()
local of = standing('queue', 'priority')
local state, service, action, tenant, accepted_at, before, priority = unpack(of, 1, 7)
if not state or FINAL[state] or redis.call('ZSCORE', SCHEDULED, id) then
  return {} -- what was put off meanwhile is looked at when its time has come
end

local function enter_queue()
  local since = redis.call('ZSCORE', WAITING .. ':' .. before, id)
  redis.call('ZREM', WAITING .. ':' .. before, id)
  redis.call('SADD', WAITING, queue)
  redis.call('ZADD', WAITING .. ':' .. queue, since or now, id)
  if redis.call('SISMEMBER', CALLED .. ':' .. service .. '.' .. action, id) == 1 then
    release(id, now) -- a place is kept for it
  elseif begin_waiting(id, now, now + REPUBLISH_MS, queue, tenant, accepted_at, priority) then
    tell(id)
  end
end

if queue ~= '' then
  redis.call('HSET', EXECUTION, 'queue', queue)
end
if state == 'accepted' then
  leave_window(id, window(before, tenant))
  if queue ~= '' then
    enter_queue()
  end
  fill(window(before, tenant), now)
elseif queue ~= '' then
  tell(id)
end
return released_ids()
