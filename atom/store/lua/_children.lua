-- Stands behind the prelude: children and their parent. A parent waits for the children of one join
-- at a time. JOIN has of each child `id:<index>` and, when it has ended, `result:<index>`. HELD has
-- those that are held back until others have ended, by index. A join may have many thousands: no
-- script looks at all of them.

-- A child that was held back may begin. False where it has ended already.
local function let_begin(id, now)
  local of = standing('queue', 'priority')
  if of[1] ~= 'accepted' then
    return false
  end
  wait_for_turn(id, now, of, of[6], of[7])
  return true
end

-- As many as may be under way at once.
local function release_more(parent, now)
  look_at(EXECUTION_PREFIX .. parent)
  local join, held = JOIN, HELD
  local width, flying, is_stopped = unpack(redis.call('HMGET', join, 'width', 'flying', 'is_stopped'))
  while not is_stopped and tonumber(flying) < tonumber(width) do
    local child = redis.call('ZPOPMIN', held)[1]
    if not child then
      return -- there are no more, or not yet
    end
    look_at(EXECUTION_PREFIX .. child)
    if let_begin(child, now) then
      flying = redis.call('HINCRBY', join, 'flying', 1)
    end
  end
end

local function is_join_over()
  local open, is_stopped = unpack(redis.call('HMGET', JOIN, 'open', 'is_stopped'))
  return is_stopped or tonumber(open or 0) == 0
end

-- As often as a flow is told of progress, whoever ended a child tells how far all of them are.
local function note_progress(parent, now)
  local entry, open, total, interval_ms, told_at = unpack(redis.call('HMGET', JOIN, 'entry', 'open',
    'total', 'interval_ms', 'told_at'))
  local since = now - (told_at or 0) -- negative once the clock was set back
  if since < 0 or since >= tonumber(interval_ms) then
    redis.call('HSET', JOIN, 'told_at', now)
    JOIN_PROGRESS = {parent, entry, total - open, total}
  end
end

-- It waits for its children no longer. Should it be run again, it finds by the numbers of its joins
-- which of them completed.
function leave_join()
  local entry, digest, nonces = unpack(redis.call('HMGET', JOIN, 'entry', 'digest', 'nonces'))
  if digest then
    redis.call('HSET', DOCUMENTS, 'join:' .. entry,
      cjson.encode({digest = digest, nonces = cjson.decode(nonces)}))
    redis.call('UNLINK', JOIN, HELD)
  end
end

-- Forgets which children of earlier joins completed, but for those at the entries that are kept.
local function forget_completed(kept)
  for _, name in ipairs(redis.call('HKEYS', DOCUMENTS)) do
    if name:sub(1, 5) == 'join:' and not kept[name:sub(6)] then
      redis.call('HDEL', DOCUMENTS, name)
    end
  end
end

-- The numbers of earlier joins that asked for the same at this entry, the latest first.
local function take_earlier(entry, digest)
  local kept = redis.call('HGET', DOCUMENTS, 'join:' .. entry)
  kept = kept and cjson.decode(kept)
  if not kept then
    return {}
  end
  redis.call('HDEL', DOCUMENTS, 'join:' .. entry)
  return kept.digest == digest and kept.nonces or {}
end

function child_ended(parent, id, index, state, content, now)
  look_at(EXECUTION_PREFIX .. parent)
  local known, before, stops = unpack(redis.call('HMGET', JOIN, 'id:' .. index, 'result:' .. index,
    'stops'))
  if known ~= id or before then
    return -- its parent has gone on without it
  end
  redis.call('HSET', JOIN, 'result:' .. index, state .. ' ' .. content)
  redis.call('HINCRBY', JOIN, 'open', -1)
  if redis.call('ZREM', HELD, id) == 0 then
    redis.call('HINCRBY', JOIN, 'flying', -1)
  end
  if state ~= 'completed' and stops == '1' then
    redis.call('HSET', JOIN, 'is_stopped', 1)
  end
  if is_join_over() then
    local of = standing('queue', 'wait_kind')
    if of[1] == 'suspended' and of[7] == 'children' then
      wake(parent, now, of, of[6])
    end
    return
  end
  note_progress(parent, now)
  release_more(parent, now)
end
