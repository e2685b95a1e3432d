-- KEYS the prefix of executions
-- ARGV limit, retention_ms
-- Forgets what has outlived its retention, in every index that people look at. Returns how many.
local prefix, now = KEYS[1], now_ms()
local passed = tonumber(redis.call('GET', PASSED_BY) or 0) -- by the calls before

-- The oldest go first. What is under way still, waits for a person or took long is passed by; when all
-- have been looked at, the next call begins with the oldest again. What was kept for less time than
-- is now wanted is looked at as well: Redis forgets nothing within FOR_TRIM_MS.
local until_ms = now - math.min(ARGV[2], FOR_TRIM_MS)
local oldest = redis.call('ZRANGE', HISTORY, passed, passed + ARGV[1] - 1, 'WITHSCORES')
local gone, is_end = 0, #oldest < 2 * ARGV[1]
for index = 1, #oldest, 2 do
  if tonumber(oldest[index + 1]) > until_ms then
    is_end = true
    break
  end
  look_at(prefix .. oldest[index])
  local left = redis.call('PTTL', EXECUTION) -- -1: it does not expire, -2: Redis has forgotten it
  if left == -1 or left > FOR_TRIM_MS then
    passed = passed + 1
  else
    forget(oldest[index], now, ARGV[2])
    gone = gone + 1
  end
end
if is_end then
  redis.call('DEL', PASSED_BY)
else
  redis.call('SET', PASSED_BY, passed, 'PX', 3600000)
end
return gone
