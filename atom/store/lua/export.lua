-- ARGV id
-- Says that an execution may be in two places from now on, and returns all of it: {now in
-- microseconds, fingerprint, then for each part its name after that of the execution, its type (hash
-- or list) and its content}. Nothing where it is gone, or not retired, and so has secrets.
local id = ARGV[1]
if redis.call('PTTL', EXECUTION) < 0 or documents('token') then
  return false
end
if redis.call('HEXISTS', EXECUTION, 'parent') == 0 then
  redis.call('SADD', IN_BOTH, id)
else
  delete_secrets('deleted_of_child') -- a child in the history database is not retried
end
local t = redis.call('TIME')
local found = {string.format('%.0f', t[1] * 1000000 + t[2]), fingerprint()}
for _, key in ipairs(own_keys()) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' then
    found[#found + 1] = key:sub(#EXECUTION + 1)
    found[#found + 1] = kind
    found[#found + 1] = kind == 'hash' and redis.call('HGETALL', key)
      or redis.call('LRANGE', key, 0, -1)
  end
end
return found
