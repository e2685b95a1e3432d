-- KEYS the prefix of executions
-- ARGV republish_ms, limit
-- Returns WAKEUPS of those whose time has come: from now on they wait for a worker.
local prefix, now = KEYS[1], now_ms()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', SUSPENDED, '-inf', now, 'LIMIT', 0, ARGV[2])) do
  look_at(prefix .. id)
  local of = standing('queue')
  if of[1] == 'suspended' then
    wake(id, now, of, of[6], ARGV[1])
    add_wakeup(id)
  else
    redis.call('ZREM', SUSPENDED, id)
  end
end
return WAKEUPS
