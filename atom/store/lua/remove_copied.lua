-- ARGV id, fingerprint, retention_ms
-- Forgets an execution that was copied to the history database, unless it has changed since: then it
-- is copied anew. Returns 1 or 0.
local id = ARGV[1]
if fingerprint() ~= ARGV[2] then
  return 0
end
forget(id, now_ms(), ARGV[3])
redis.call('SREM', IN_BOTH, id)
return 1
