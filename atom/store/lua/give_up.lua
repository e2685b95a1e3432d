-- ARGV id, retention_ms
-- The caller of a synchronous request waits no longer. Returns what has come in the last moment
-- ('state response'), else 'withdrawn' where nobody had started it, else 'late': it runs on, and
-- its result goes to the history.
local come = redis.call('LPOP', FINISHED)
if come then
  return come
end
if redis.call('HGET', EXECUTION, 'state') == 'accepted' then
  withdraw(ARGV[1], now_ms(), ARGV[2], 'Not started while its caller waited.')
  return 'withdrawn'
end
redis.call('HSET', EXECUTION, 'answer', 'late')
return 'late'
