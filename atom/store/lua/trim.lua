-- KEYS the prefix of executions
-- ARGV limit
-- Forgets what has outlived its retention, in every index that people look at. Returns how many.
local ids = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
local gone = 0
for _, id in ipairs(ids) do
  local key = EXECUTION .. id
  local state, service, action, tenant, flow_state, callback_state = unpack(redis.call('HMGET', key,
    'state', 'service', 'action', 'tenant_id', 'state_id', 'callback_state'))
  redis.call('ZREM', EXPIRING, id)
  if not state or (FINAL[state] and not UNTOLD[callback_state]) then -- else it is under way again
    if state then
      redis.call('ZREM', by_process(service, action, state), id)
      redis.call('ZREM', by_tenant(tenant, state), id)
      redis.call('ZREM', HISTORY .. ':flow-states', flow_state .. ' ' .. id)
    end
    redis.call('ZREM', FAILED, id)
    redis.call('DEL', key, key .. ':documents', key .. ':steps', key .. ':attempts', key .. ':log')
    gone = gone + redis.call('ZREM', HISTORY, id)
  end
end
return gone
