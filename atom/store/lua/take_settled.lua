-- KEYS the prefix of executions
-- ARGV limit, after_ms, retention_ms
-- Looks at the next of the history, from its oldest end, and returns the ids of those that can go to
-- the history database: nobody works at them, nobody is asked to look at them, and nobody can send
-- their callback again. What waits for a person may stay until its retention is over.
local prefix, now = KEYS[1], now_ms()
local families = 0 -- that were looked at: each costs more than one without children

-- Where the last look ended: at an execution, which may be gone since, and when it was accepted.
local function beginning()
  local accepted_at, id = unpack(redis.call('HMGET', LOOKED_AT, 'accepted_at', 'id'))
  if not id then
    return 0
  end
  local rank = redis.call('ZRANK', HISTORY, id)
  return rank and rank + 1 or redis.call('ZCOUNT', HISTORY, '-inf', '(' .. accepted_at)
end

-- Whether the one that is looked at can go. `left`: for how long Redis keeps it.
local function is_settled(id, left)
  if left == -1 then
    return false -- under way still, or parked
  end
  if left <= FOR_TRIM_MS then
    -- Its retention is over. However long the database is away, it is there when that is back, and
    -- so are its children.
    local seen = redis.call('ZREM', FAILED, id) + drop_failed_cleanups()
    if seen > 0 or documents('token') or left <= FOR_TRIM_MS / 2 then
      families = families + redis.call('EXISTS', CHILDREN)
      keep()
      retire(0)
    end
    return true
  end
  local finished_at = redis.call('HGET', EXECUTION, 'finished_at')
  return finished_at and tonumber(finished_at) <= now - ARGV[2]
    and not redis.call('ZSCORE', FAILED, id) and redis.call('EXISTS', CLEANUPS) == 0
    and not documents('token')
end

local first = beginning()
local oldest = redis.call('ZRANGE', HISTORY, first, first + ARGV[1] - 1, 'WITHSCORES')
local settled, is_end = {}, #oldest < 2 * ARGV[1]
local until_ms = now - math.min(ARGV[2], ARGV[3])
for index = 1, #oldest, 2 do
  local id, accepted_at = oldest[index], oldest[index + 1]
  if tonumber(accepted_at) > until_ms then
    is_end = true
    break
  end
  look_at(prefix .. id)
  local left = redis.call('PTTL', EXECUTION)
  if left == -2 then
    forget(id, now, 0) -- Redis has forgotten it by itself
  elseif is_settled(id, left) then
    settled[#settled + 1] = id
  end
  redis.call('HSET', LOOKED_AT, 'accepted_at', accepted_at, 'id', id)
  if families == 5 then
    is_end = false
    break
  end
end
if is_end then
  redis.call('DEL', LOOKED_AT)
end
return settled
