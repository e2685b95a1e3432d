-- Stands before every script. All times are milliseconds of the server's clock: one clock for all.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local FINAL = {completed = true, faulted = true, failed = true, cancelled = true, timed_out = true}

-- Nothing is left to do for it: kept for the history, without what is secret in it.
local function retire(execution, retention_ms)
  redis.call('HDEL', execution, 'authorization', 'token', 'private_request', 'private_response')
  for _, suffix in ipairs({'', ':steps', ':attempts'}) do
    redis.call('PEXPIRE', execution .. suffix, retention_ms)
  end
end

-- Writes the outcome and the callback that is due for it; the caller has checked that it may.
-- `private` is the response with its secrets, '' where it has none.
-- Returns 1 where the callback should go out now, 0 where something else will see to it.
local function finish(id, execution, leases, deadlines, callbacks, finished, now, state, response,
    failure, private, retention_ms)
  local answer, answer_until, callback_state =
    unpack(redis.call('HMGET', execution, 'answer', 'answer_until', 'callback_state'))
  redis.call('HINCRBY', execution, 'callback_seq', 1)
  redis.call('HSET', execution, 'state', state, 'finished_at', now, 'response', response,
    'error', failure, 'callback_failures', 0, 'callback_busy', 0)
  redis.call('ZREM', leases, id)
  redis.call('ZREM', deadlines, id)
  if answer == 'only' or answer == 'late' then
    -- The request itself is answered or nobody is: the result goes straight to who waits.
    if answer == 'only' then
      redis.call('LPUSH', finished, state .. ' ' .. (private ~= '' and private or response))
      redis.call('PEXPIRE', finished, 60000)
    end
    retire(execution, retention_ms)
    return 0
  end
  if private ~= '' then
    redis.call('HSET', execution, 'private_response', private)
  end
  if callback_state == 'delivering' then
    return 0 -- a progress callback is on its way; recording its answer makes this one due
  end
  local due = now
  if answer == 'pending' then
    -- A listener waits to answer with it. Should that listener die, the callback follows.
    due = math.max(now, tonumber(answer_until))
    redis.call('LPUSH', finished, '1')
    redis.call('PEXPIRE', finished, 60000)
  end
  redis.call('HSET', execution, 'callback_state', 'due', 'callback_due_at', due)
  redis.call('ZADD', callbacks, due, id)
  return due == now and 1 or 0
end

-- Ends a synchronous request that nobody has started.
local function withdraw(id, execution, accepted, deadlines, now, retention_ms)
  redis.call('HSET', execution, 'state', 'cancelled', 'finished_at', now, 'error',
    'Not started while its caller waited.')
  redis.call('ZREM', accepted, id)
  redis.call('ZREM', deadlines, id)
  retire(execution, retention_ms)
end
