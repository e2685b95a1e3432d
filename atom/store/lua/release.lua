-- ARGV at_once, then process and max_concurrency ('' where there is none any more) of each process
--      that has a line
-- Puts right what nobody else did: backlogs that have room, lines that have places. Every backlog is
-- looked at sooner or later, so many at a time that a look stays short. Returns what is to be published.
PUBLISHES = true
local now, at_once = now_ms(), tonumber(ARGV[1])

local function forget_others(set, state)
  for _, id in ipairs(redis.call('SMEMBERS', set)) do
    if redis.call('HGET', EXECUTION_PREFIX .. id, 'state') ~= state then
      redis.call('SREM', set, id)
    end
  end
end

-- A place is kept for each of these. Recovery adds nothing to a long queue, which may stay long, so
-- their messages are not missed there: they are few, and are published again all the same.
local function call_again(called)
  for _, id in ipairs(redis.call('SMEMBERS', called)) do
    local due = redis.call('ZSCORE', ACCEPTED, id)
    if due and tonumber(due) <= now then
      redis.call('ZADD', ACCEPTED, now + 60000, id)
      tell(id)
    end
  end
end

for _, each in ipairs(redis.call('SRANDMEMBER', BACKLOGS, at_once)) do
  forget_others(out(each), 'accepted')
  fill(each, now)
  if redis.call('EXISTS', backlog(each)) == 0 then
    redis.call('SREM', BACKLOGS, each)
  end
end
for index = 2, #ARGV, 2 do
  local process = ARGV[index]
  local service, action = process:match('^([^.]*)%.(.*)$')
  forget_others(CALLED .. ':' .. process, 'accepted')
  call_again(CALLED .. ':' .. process)
  forget_others(PLACES .. ':' .. process, 'running')
  call_next(service, action, tonumber(ARGV[index + 1]) or math.huge, now, at_once)
  if redis.call('EXISTS', LINES .. ':' .. process, CALLED .. ':' .. process) == 0 then
    redis.call('SREM', LINES, process)
  end
end
return released_ids()
