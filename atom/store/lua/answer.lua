-- KEYS execution, callbacks
-- ARGV id, inline_grace_ms
-- Decides, once, how a synchronous request is answered. Returns {'inline', response} where the
-- execution has finished, else {'wait', latest progress or ''}.
local state, answer, progress, response, private = unpack(
  redis.call('HMGET', KEYS[1], 'state', 'answer', 'progress', 'response', 'private_response'))
if answer == 'pending' and FINAL[state] then
  -- The callback stays due until the answer is known to be written.
  answer = 'inline'
  local due = now_ms() + ARGV[2]
  redis.call('HSET', KEYS[1], 'answer', 'inline', 'callback_due_at', due)
  redis.call('ZADD', KEYS[2], due, ARGV[1])
elseif answer == 'pending' then
  redis.call('HSET', KEYS[1], 'answer', 'wait')
end
if answer == 'inline' then
  return {'inline', private or response}
end
return {'wait', progress or ''}
