-- KEYS execution, accepted, deadlines, finished
-- ARGV id, retention_ms
-- The caller of a synchronous request waits no longer. Returns what has come in the last moment
-- ('state response'), else 'withdrawn' where nobody had started it, else 'late': it runs on, and
-- its result goes to the history.
local come = redis.call('LPOP', KEYS[4])
if come then
  return come
end
if redis.call('HGET', KEYS[1], 'state') == 'accepted' then
  withdraw(ARGV[1], KEYS[1], KEYS[2], KEYS[3], now_ms(), ARGV[2])
  return 'withdrawn'
end
redis.call('HSET', KEYS[1], 'answer', 'late')
return 'late'
