-- ARGV id, fence, delay_ms, error ('' where it is no try of the process that failed), 1 where its code
--      may still run for a moment
-- The execution waits for a worker again, after the delay; its steps stay, but for those that a
-- failed try ended with. Returns 1, or 0 where the caller no longer holds the execution.
local id, now = ARGV[1], now_ms()
local of = standing('fence', 'queue', 'limit', 'lease_until')
local state, fence, queue, limit, lease_until = of[1], unpack(of, 6, 9)
if state == 'accepted' and tonumber(fence) == ARGV[2] + 1 then
  return 1 -- repeated after a lost reply
end
if state ~= 'running' or fence ~= ARGV[2] then
  return 0
end
redis.call('HINCRBY', EXECUTION, 'fence', 1)
keep_run(now, ARGV[4] == '' and 'handed_back' or 'tried_again')
move(id, of, 'accepted')
redis.call('HSET', EXECUTION, 'state', 'accepted', 'not_before', now + ARGV[3])
redis.call('ZREM', LEASES, id)
put_off(id, queue, now + ARGV[3], now)
if limit and ARGV[5] == '1' then
  keep_place(id, fence, of[2], of[3], lease_until)
end
leave_place(id, of[2], of[3], limit, now)
if ARGV[4] ~= '' then
  redis.call('HINCRBY', EXECUTION, 'tries', 1)
  redis.call('HSET', EXECUTION, 'error', ARGV[4])
  drop_failed_steps()
end
return 1
