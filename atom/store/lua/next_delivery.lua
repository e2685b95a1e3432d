-- ARGV execution prefix, how many are looked at, hold_ms, circuit threshold, spread_ms,
--      back_in_ms (when the caller looks again, whatever it finds; 0: it may not, '': nor did it say
--      so before), how many more it can take by itself
-- Takes the callback that is due the longest, of those that can go out. Returns {its id, what
-- take_callback() does, the id of another one where a worker is to be woken, or ''}; {} where none of
-- those looked at can go out (they are put off, so the next look sees others); nothing where none is
-- due.
local now = now_ms()
if ARGV[6] == '0' then
  redis.call('DEL', ATTENDED)
elseif ARGV[6] ~= '' then
  redis.call('SET', ATTENDED, '', 'PX', ARGV[6])
end
local due = redis.call('ZRANGEBYSCORE', CALLBACKS, '-inf', now, 'LIMIT', 0, ARGV[2])
for index, id in ipairs(due) do
  look_at(ARGV[1] .. id)
  local found = take_callback(id, now, ARGV[3], ARGV[4], ARGV[5])
  if found then
    local beyond = due[index + 1 + ARGV[7]]
    if beyond and not redis.call('SET', WOKEN, '', 'NX', 'PX', 60000) then
      beyond = nil
    end
    return {id, found, beyond or ''}
  end
end
return #due == tonumber(ARGV[2]) and {}
