-- ARGV limit
-- Of those whose time has come, which from now on wait for a worker as what was just accepted, returns
-- the ones that are to be published, and those that ended without a worker, which reports it then.
local now = now_ms()
local published = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', SCHEDULED, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZREM', SCHEDULED, id)
  look_at(EXECUTION_PREFIX .. id)
  local of = standing('queue', 'priority')
  if FINAL[of[1]] or of[1] == 'accepted' and
    begin_waiting(id, now, now + REPUBLISH_MS, of[6], of[4], of[5], of[7]) then
    published[#published + 1] = id
  end
end
return published
