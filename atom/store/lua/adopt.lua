-- ARGV fence, entry, and then of each child of an earlier join: index, id
-- Completed children count as children of the open join, with the results of their own records; a
-- result with secrets is forgotten by now, so that child runs again. A child that has begun and not ended
-- counts as under way: the open join takes its result. Returns how many, or -1 if the caller no longer
-- holds the execution.
local state, fence = unpack(redis.call('HMGET', EXECUTION, 'state', 'fence'))
if state ~= 'running' or fence ~= ARGV[1] or redis.call('HGET', JOIN, 'entry') ~= ARGV[2] then
  return -1
end
local adopted = 0
for at = 3, #ARGV, 2 do
  local index, id = ARGV[at], ARGV[at + 1]
  local child_state, is_masked = unpack(
    redis.call('HMGET', EXECUTION_PREFIX .. id, 'state', 'is_masked'))
  if child_state == 'completed' and not is_masked then
    local response = redis.call('HGET', EXECUTION_PREFIX .. id .. ':documents', 'response')
    if response and redis.call('HSETNX', JOIN, 'id:' .. index, id) == 1 then
      redis.call('HSET', JOIN, 'result:' .. index, 'completed ' .. response)
      redis.call('HINCRBY', JOIN, 'open', -1)
      adopted = adopted + 1
    end
  elseif child_state == 'running' or child_state == 'suspended' then
    if redis.call('HSETNX', JOIN, 'id:' .. index, id) == 1 then
      redis.call('HINCRBY', JOIN, 'flying', 1)
      adopted = adopted + 1
    end
  end
end
return adopted
