-- ARGV id, fingerprint, retention_ms
-- Forgets an execution that was copied to the history database, unless it has changed since: then it
-- is copied anew, as is a parent of which a child is still here. What does not expire is kept: it, or
-- what began it all, runs again. Returns 1 or 0.
local id = ARGV[1]

local function has_children_here()
  for first = 0, redis.call('LLEN', CHILDREN) - 1, 1000 do
    local keys = redis.call('LRANGE', CHILDREN, first, first + 999)
    for index, child in ipairs(keys) do
      keys[index] = EXECUTION_PREFIX .. child
    end
    if redis.call('EXISTS', unpack(keys)) > 0 then
      return true
    end
  end
  return false
end

if redis.call('PTTL', EXECUTION) < 0 or fingerprint() ~= ARGV[2] or has_children_here() then
  return 0
end
forget(id, now_ms(), ARGV[3])
redis.call('SREM', IN_BOTH, id)
return 1
