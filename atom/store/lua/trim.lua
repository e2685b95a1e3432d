-- KEYS the prefix of executions
-- ARGV limit, retention_ms
-- Forgets what has outlived its retention, in every index that people look at. Returns how many.
local prefix, now = KEYS[1], now_ms()

-- A request that comes again is not run again. One that ended long before its deadline has to be
-- known for longer than it is kept; none has an id of this version but that of a request.
local function stay_known(id, deadline)
  local left = deadline + ARGV[2] - now
  if id:sub(15, 15) == '8' and left > 0 then
    redis.call('SET', KNOWN, '', 'PX', left)
  end
end

local ids = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now, 'LIMIT', 0, ARGV[1])
local gone = 0
for _, id in ipairs(ids) do
  look_at(prefix .. id)
  local state, service, action, tenant, flow_state, callback_state, deadline =
    unpack(redis.call('HMGET', EXECUTION, 'state', 'service', 'action', 'tenant_id', 'state_id',
      'callback_state', 'deadline'))
  redis.call('ZREM', EXPIRING, id)
  if not state or (FINAL[state] and not UNTOLD[callback_state]) then -- else it is under way again
    if state then
      redis.call('ZREM', by_process(service, action, state), id)
      redis.call('ZREM', by_tenant(tenant, state), id)
      redis.call('ZREM', HISTORY .. ':flow-states', flow_state .. ' ' .. id)
      stay_known(id, deadline)
    end
    redis.call('ZREM', FAILED, id)
    redis.call('DEL', EXECUTION, DOCUMENTS, STEPS, ATTEMPTS, LOG)
    gone = gone + redis.call('ZREM', HISTORY, id)
  end
end
return gone
