-- ARGV limit
-- Those whose time has come wait for a worker from now on. Returns how many.
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', SUSPENDED, '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(due) do
  look_at(EXECUTION_PREFIX .. id)
  local of = standing('queue')
  if of[1] == 'suspended' then
    wake(id, now, of, of[6])
  else
    redis.call('ZREM', SUSPENDED, id)
  end
end
return #due
