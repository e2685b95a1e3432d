-- ARGV id, inline_grace_ms
-- Decides, once, how a synchronous request is answered. Returns {'inline', response} where the
-- execution has finished, else {'wait', latest progress or ''}.
local state, answer, progress, callback_state =
  unpack(redis.call('HMGET', EXECUTION, 'state', 'answer', 'progress', 'callback_state'))
if answer == 'pending' and FINAL[state] then
  answer = 'inline'
  redis.call('HSET', EXECUTION, 'answer', 'inline')
  if callback_state ~= 'delivered' and callback_state ~= 'dismissed' then
    -- The callback stays due until the answer is known to be written.
    make_callback_due(ARGV[1], now_ms() + ARGV[2])
  end
elseif answer == 'pending' then
  redis.call('HSET', EXECUTION, 'answer', 'wait')
end
if answer == 'inline' then
  local response, private = documents('response', 'private_response')
  return {'inline', private or response}
end
return {'wait', progress or ''}
