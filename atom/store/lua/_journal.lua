-- Stands behind the prelude: what an attempt that follows is to find of those before it.

-- WAITS, a document, has the waits that were begun before the one at which the execution is suspended now:
-- entry → {kind, until, since}. A new version of a process may wait elsewhere first.
local function begun_waits()
  local stored = redis.call('HGET', DOCUMENTS, 'waits')
  return stored and cjson.decode(stored) or {}
end

local function keep_waits(waits)
  if next(waits) then
    redis.call('HSET', DOCUMENTS, 'waits', cjson.encode(waits))
  else
    redis.call('HDEL', DOCUMENTS, 'waits')
  end
end

-- Forgets the wait of an entry that is recorded now, or (nil) all waits.
local function forget_wait(entry)
  if not entry or redis.call('HGET', EXECUTION, 'wait_entry') == entry then
    redis.call('HDEL', EXECUTION, 'wait_entry', 'wait_kind', 'wait_until')
  end
  if not entry then
    redis.call('HDEL', DOCUMENTS, 'waits')
  elseif redis.call('HEXISTS', DOCUMENTS, 'waits') == 1 then
    local waits = begun_waits()
    waits[entry] = nil
    keep_waits(waits)
  end
end

-- Keeps the wait at which the execution is suspended, if a suspension at another entry follows.
local function set_wait_aside(entry, kind)
  local earlier, earlier_kind, until_ms, set_at = unpack(redis.call('HMGET', EXECUTION, 'wait_entry',
    'wait_kind', 'wait_until', 'due_set_at'))
  local is_same = earlier == entry and earlier_kind == kind
  if earlier and not is_same and (earlier_kind == 'time' or earlier_kind == 'signal') then
    local waits = begun_waits()
    waits[earlier] = {earlier_kind, until_ms, set_at or ''}
    keep_waits(waits)
  end
end

-- Forgets the faults and failures that the journal ends with, so that those steps run again, and the
-- waits that were begun after them: another outcome may lead elsewhere.
local function drop_failed_steps()
  local order = 0 -- of the latest record
  for _, number in ipairs(redis.call('HKEYS', STEPS)) do
    order = math.max(order, tonumber(number))
  end
  while order > 0 do
    local step = redis.call('HGET', STEPS, order)
    if not step or not cjson.decode(step)[3] then
      return
    end
    redis.call('HDEL', STEPS, order)
    forget_wait()
    order = order - 1
  end
end
