-- KEYS the prefix of executions
-- ARGV limit
-- Those whose time has come wait for a worker from now on. Returns how many.
local prefix, now = KEYS[1], now_ms()
local due = redis.call('ZRANGEBYSCORE', SUSPENDED, '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(due) do
  look_at(prefix .. id)
  local of = standing('queue')
  if of[1] == 'suspended' then
    wake(id, now, of, of[6])
  else
    redis.call('ZREM', SUSPENDED, id)
  end
end
return #due
