-- KEYS the prefix of executions
-- ARGV limit, retention_ms
-- Forgets what has outlived its retention, in every index that people look at. Returns how many.
local prefix, now = KEYS[1], now_ms()
local passed = tonumber(redis.call('GET', PASSED_BY) or 0) -- by the calls before

-- A request that comes again is not run again. One that ended long before its deadline has to be
-- known for longer than it is kept; none has an id of this version but that of a request.
local function stay_known(id, deadline)
  local left = deadline + ARGV[2] - now
  if id:sub(15, 15) == '8' and left > 0 then
    redis.call('SET', KNOWN, '', 'PX', left)
  end
end

local function forget(id)
  local state, service, action, tenant, flow_state, deadline = unpack(redis.call('HMGET', EXECUTION,
    'state', 'service', 'action', 'tenant_id', 'state_id', 'deadline'))
  if state then
    redis.call('ZREM', by_process(service, action, state), id)
    redis.call('ZREM', by_tenant(tenant, state), id)
    redis.call('ZREM', HISTORY .. ':flow-states', flow_state .. ' ' .. id)
    stay_known(id, deadline)
  end
  redis.call('ZREM', FAILED, id)
  redis.call('ZREM', HISTORY, id)
  redis.call('DEL', EXECUTION, DOCUMENTS, STEPS, ATTEMPTS, LOG, SIGNALS, JOIN, CHILDREN)
end

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
    forget(oldest[index])
    gone = gone + 1
  end
end
if is_end then
  redis.call('DEL', PASSED_BY)
else
  redis.call('SET', PASSED_BY, passed, 'PX', 3600000)
end
redis.call('UNLINK', 'atom:expiring') -- an index of the sixth format
return gone
