-- ARGV id, inline_grace_ms
-- Decides, once, how a synchronous request is answered. Returns {'inline', response} where the
-- execution has finished, else {'wait', latest progress or ''}.
local state, answer, progress =
  unpack(redis.call('HMGET', EXECUTION, 'state', 'answer', 'progress'))
if answer == 'pending' and FINAL[state] then
  -- The callback stays due until the answer is known to be written.
  answer = 'inline'
  redis.call('HSET', EXECUTION, 'answer', 'inline')
  make_callback_due(ARGV[1], now_ms() + ARGV[2])
elseif answer == 'pending' then
  redis.call('HSET', EXECUTION, 'answer', 'wait')
end
if answer == 'inline' then
  local response, private = documents('response', 'private_response')
  return {'inline', private or response}
end
return {'wait', progress or ''}
