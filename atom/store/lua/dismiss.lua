-- ARGV id, retention_ms
-- Notes that an operator has acknowledged an end: nobody is asked to look at it any more, a parked callback
-- is not sent again, and the secrets that were kept for a retry are deleted. Those that the callback
-- needs are deleted once it is delivered. Returns 1, or 0 if there was nothing to acknowledge.
local id = ARGV[1]
local was_failed, was_parked = redis.call('ZREM', FAILED, id), redis.call('ZREM', PARKED, id)
local state, callback_state = unpack(redis.call('HMGET', EXECUTION, 'state', 'callback_state'))
local is_sending = callback_state == 'due' or callback_state == 'delivering'
local private_request, authorization = documents('private_request', 'authorization')
local has_secrets = FINAL[state] and state ~= 'completed' and not is_sending
  and (private_request or authorization)
if not state or (was_failed == 0 and was_parked == 0 and not has_secrets) then
  return 0
end
redis.call('HSET', EXECUTION, 'is_acknowledged', 1)
if was_failed == 1 then
  close_cleanup(id)
end
if was_parked == 1 then
  redis.call('HSET', EXECUTION, 'callback_state', 'dismissed')
  retire(ARGV[2])
elseif not is_sending then
  delete_secrets('deleted_when_dismissed')
  redis.call('HDEL', DOCUMENTS, 'token', 'private_response')
end
return 1
