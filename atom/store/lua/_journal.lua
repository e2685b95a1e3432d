-- Stands behind the prelude: what an attempt that follows is to find of those before it.

local function forget_wait()
  redis.call('HDEL', EXECUTION, 'wait_position', 'wait_name', 'wait_kind', 'wait_until')
end

-- Forgets the faults and failures that the journal ends with, so that those steps run again, and a
-- wait of one of them, or behind it: another outcome may lead elsewhere.
local function drop_failed_steps()
  local position = 0 -- the last; one before it may be missing, where it was too large
  for _, each in ipairs(redis.call('HKEYS', STEPS)) do
    position = math.max(position, tonumber(each))
  end
  while position > 0 do
    local step = redis.call('HGET', STEPS, position)
    if not step or not cjson.decode(step)[3] then
      return
    end
    redis.call('HDEL', STEPS, position)
    if tonumber(redis.call('HGET', EXECUTION, 'wait_position') or 0) >= position then
      forget_wait()
    end
    position = position - 1
  end
end
