-- ARGV tolerance_ms, gap_ms, lease_ms, forward_ms (by how much the caller knows that the clock was set
--      forward; 0 otherwise)
-- Compare the clock with the latest time that was seen of it. After a gap (recovery or Redis was away,
-- or the clock was set forward) no lease is judged for as long as one lasts: none could be renewed.
-- Returns {the time, by how much the clock was set back, 1 while due times have to be recomputed, 1 if
-- leases can be judged}.
local now = now_ms()
local latest, is_repairing, judge_from = unpack(redis.call('HMGET', CLOCK, 'latest', 'is_repairing',
  'judge_from'))
latest = tonumber(latest) or now
local back = latest - now > tonumber(ARGV[1]) and latest - now or 0
if back > 0 then
  is_repairing, judge_from = '1', now
  redis.call('HSET', CLOCK, 'is_repairing', 1, 'changed_at', now, 'changed_by', -back)
elseif now - latest > tonumber(ARGV[2]) then
  judge_from = now + ARGV[3]
end
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', CLOCK, 'changed_at', now, 'changed_by', ARGV[4])
end
judge_from = tonumber(judge_from) or now
redis.call('HSET', CLOCK, 'latest', back > 0 and now or math.max(now, latest), 'judge_from',
  judge_from)
return {now, back, is_repairing and 1 or 0, now >= judge_from and 1 or 0}
