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

-- Drop the record of this number and all later ones, and every wait.
local function drop_steps_from(order)
  for _, number in ipairs(redis.call('HKEYS', STEPS)) do
    if tonumber(number) >= order then
      redis.call('HDEL', STEPS, number)
    end
  end
  forget_wait()
end

-- Restore the signals of an ended execution: the tokens that it gave out are valid again, and the
-- events that it received are there, unless they are dropped. See end_signals().
local function restore_signals(drops_events)
  for _, field in ipairs(redis.call('HKEYS', DOCUMENTS)) do
    if field:sub(1, 6) == 'event:' then
      redis.call('HSET', SIGNALS, field, redis.call('HGET', DOCUMENTS, field))
      redis.call('HDEL', DOCUMENTS, field)
    end
  end
  for _, name in ipairs(redis.call('HKEYS', ENDED_SIGNALS)) do
    redis.call('HSET', SIGNALS, 'hash:' .. name, redis.call('HGET', ENDED_SIGNALS, name))
  end
  redis.call('DEL', ENDED_SIGNALS)
  if drops_events then
    for _, field in ipairs(redis.call('HKEYS', SIGNALS)) do
      if field:sub(1, 6) == 'event:' then
        redis.call('HDEL', SIGNALS, field)
      end
    end
  end
end
