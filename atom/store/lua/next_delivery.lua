-- KEYS none
-- ARGV execution prefix, how many are looked at, hold_ms, circuit threshold, spread_ms
-- Takes the callback that is due the longest, of those that can go out. Returns {its id, what
-- take_callback() does, the id of another one where a worker is to be woken, or ''}; {} where none of
-- those looked at can go out (they are put off, so the next look sees others); nothing where none is
-- due.
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', CALLBACKS, '-inf', now, 'LIMIT', 0, ARGV[2])
for index, id in ipairs(due) do
  look_at(ARGV[1] .. id)
  local found = take_callback(id, now, ARGV[3], ARGV[4], ARGV[5])
  if found then
    local another = due[index + 1]
    return {id, found, another and should_wake() == 1 and another or ''}
  end
end
return #due == tonumber(ARGV[2]) and {}
