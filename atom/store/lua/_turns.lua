-- Whose turn it is: which of the executions that wait for a worker have a message in the broker.
-- Stands before _prelude.lua in every script; PUBLISHES and REPUBLISH_MS are given before.
--
-- Of each queue and tenant only so many executions that have not begun are *out* as the window of the
-- queue says: their message is in the broker, or about to be. The others are in the tenant's backlog. One that its process's
-- max_concurrency refused is in the line of its process until it is *called*: it is out again then,
-- and a place is kept for it. Everything is counted by membership, so that no count can drift.

-- What the caller is to publish, in place of it recovery later: of each its id, service, action, queue,
-- parent and root.
local RELEASED = {}

-- What is known by its process in each state, by the time of acceptance.
local function by_process(service, action, state)
  return HISTORY .. ':process:' .. service .. '.' .. action .. ':' .. state
end

-- Higher priorities first (from -100 to 100), then who was accepted first; a double keeps it exact.
local function rank(accepted_at, priority)
  return accepted_at - (priority or 0) * 1e13
end

local function window(queue, tenant)
  return queue .. '\0' .. tenant
end

local function out(of_window)
  return OUT .. ':' .. of_window
end

local function backlog(of_window)
  return BACKLOGS .. ':' .. of_window
end

local function tell(id)
  local of = redis.call('HMGET', EXECUTION_PREFIX .. id, 'service', 'action', 'queue', 'parent', 'root')
  RELEASED[#RELEASED + 1] = id
  for index = 1, 5 do
    RELEASED[#RELEASED + 1] = of[index] or ''
  end
end

local function released_ids()
  local ids = {}
  for index = 1, #RELEASED, 6 do
    ids[#ids + 1] = RELEASED[index]
  end
  return ids
end

-- Its message is to be published. Returns false where it does not wait any more.
local function release(id, now)
  local state, queue, tenant =
    unpack(redis.call('HMGET', EXECUTION_PREFIX .. id, 'state', 'queue', 'tenant_id'))
  if state ~= 'accepted' then
    return false
  end
  redis.call('SADD', out(window(queue, tenant)), id)
  redis.call('ZADD', ACCEPTED, now + REPUBLISH_MS, id)
  tell(id)
  return true
end

local function window_size(queue)
  return tonumber(redis.call('HGET', WINDOWS, queue)) or 1
end

-- Those of the backlog that there is room for go out.
local function fill(of_window, now)
  if not PUBLISHES or redis.call('EXISTS', backlog(of_window)) == 0 then
    return
  end
  local room = window_size(of_window:match('^%Z*')) - redis.call('SCARD', out(of_window))
  while room > 0 do
    local id = redis.call('ZPOPMIN', backlog(of_window))[1]
    if not id then
      return
    end
    room = room - (release(id, now) and 1 or 0)
  end
end

-- The execution waits for a worker of its queue, from now on or since it was put off to. Returns
-- whether the caller is to publish it, and recovery is to at `due`; else it waits for its turn.
local function begin_waiting(id, now, due, queue, tenant, accepted_at, priority)
  local of_window = window(queue, tenant)
  redis.call('SADD', WAITING, queue)
  redis.call('ZADD', WAITING .. ':' .. queue, 'NX', now, id)
  local count = redis.call('SCARD', out(of_window))
  if count == 0 or count < window_size(queue) then
    redis.call('SADD', out(of_window), id)
    redis.call('ZADD', ACCEPTED, due, id)
    return true
  end
  redis.call('ZADD', ACCEPTED, '+inf', id)
  redis.call('SADD', BACKLOGS, of_window)
  redis.call('ZADD', backlog(of_window), rank(accepted_at, priority), id)
  return false
end

-- The same, and it is published at once where it can be: by the caller, or else by recovery. `of` is
-- what standing() returns.
local function wait_for_turn(id, now, of, queue, priority)
  local due = PUBLISHES and now + REPUBLISH_MS or now
  if begin_waiting(id, now, due, queue, of[4], of[5], priority) then
    tell(id)
  end
end

local function leave_window(id, of_window)
  if redis.call('SREM', out(of_window), id) == 0 then
    redis.call('ZREM', backlog(of_window), id)
  end
end

-- It begins to wait at that time: recovery sees to it then.
local function put_off(id, queue, at, now)
  redis.call('HSET', EXECUTION_PREFIX .. id, 'due_set_at', now)
  redis.call('ZADD', SCHEDULED, at, id)
  redis.call('SADD', WAITING, queue)
  redis.call('ZADD', WAITING .. ':' .. queue, at, id)
end

local function line(process, tenant)
  return LINES .. ':' .. process .. '\0' .. tenant
end

-- The execution waits no longer: it has begun, or never will. `of` is what standing() returns,
-- `limit` the max_concurrency that it met, if any.
local function end_waiting(id, now, of, queue, limit)
  redis.call('ZREM', ACCEPTED, id)
  redis.call('ZREM', SCHEDULED, id)
  if limit then
    local process = of[2] .. '.' .. of[3]
    redis.call('ZREM', line(process, of[4]), id)
    redis.call('SREM', CALLED .. ':' .. process, id)
  end
  redis.call('ZREM', WAITING .. ':' .. queue, id)
  leave_window(id, window(queue, of[4]))
  fill(window(queue, of[4]), now)
end

local function take_place(id, of)
  redis.call('SADD', PLACES .. ':' .. of[2] .. '.' .. of[3], id)
end

-- How many places of a process are taken: by what runs (a lease that ran out changes nothing until
-- another worker takes over), by what was called, and by what was ended from outside and may
-- still run.
local function places_taken(service, action, now)
  local process = service .. '.' .. action
  return redis.call('SCARD', PLACES .. ':' .. process) +
    redis.call('SCARD', CALLED .. ':' .. process) +
    redis.call('ZCOUNT', LEAVING .. ':' .. process, '(' .. now, '+inf')
end

local function has_place(id, now, of, limit)
  local is_called = redis.call('SISMEMBER', CALLED .. ':' .. of[2] .. '.' .. of[3], id)
  return places_taken(of[2], of[3], now) - is_called < limit
end

-- The tenants of a line take turns: whoever comes or was served goes to its end.
local function to_the_end(process, tenant)
  local last = redis.call('ZRANGE', LINES .. ':' .. process, -1, -1, 'WITHSCORES')[2] or 0
  redis.call('ZADD', LINES .. ':' .. process, last + 1, tenant)
end

-- There is no place: it waits in the line of its process, and the next of its tenant goes out.
local function step_aside(id, now, of, queue, priority)
  local process, tenant = of[2] .. '.' .. of[3], of[4]
  redis.call('SREM', CALLED .. ':' .. process, id)
  redis.call('ZADD', ACCEPTED, '+inf', id)
  redis.call('SADD', LINES, process)
  redis.call('ZADD', line(process, tenant), rank(of[5], priority), id)
  if not redis.call('ZSCORE', LINES .. ':' .. process, tenant) then
    to_the_end(process, tenant)
  end
  leave_window(id, window(queue, tenant))
  fill(window(queue, tenant), now)
end

local function next_in_line(process)
  while true do
    local tenant = redis.call('ZRANGE', LINES .. ':' .. process, 0, 0)[1]
    if not tenant then
      return nil
    end
    local id = redis.call('ZPOPMIN', line(process, tenant))[1]
    if redis.call('EXISTS', line(process, tenant)) == 1 then
      to_the_end(process, tenant)
    else
      redis.call('ZREM', LINES .. ':' .. process, tenant)
    end
    if id then
      return id
    end
  end
end

-- Calls those of the line that there is a place for, `at_once` at most; to be asked for whenever a
-- place may have become free, after it has. Nothing where the process has no limit.
local function call_next(service, action, limit, now, at_once)
  local process = service .. '.' .. action
  if not PUBLISHES or not limit or redis.call('EXISTS', LINES .. ':' .. process) == 0 then
    return
  end
  local places = math.min(limit - places_taken(service, action, now), at_once or 100)
  while places > 0 do
    local id = next_in_line(process)
    if not id then
      return
    end
    if release(id, now) then
      redis.call('SADD', CALLED .. ':' .. process, id)
      places = places - 1
    end
  end
end

-- It runs no longer, and the next may.
local function leave_place(id, service, action, limit, now)
  if limit then
    redis.call('SREM', PLACES .. ':' .. service .. '.' .. action, id)
    call_next(service, action, limit, now)
  end
end

local LEAVING_MS = 7200000 -- longer than any lease

-- It was ended or handed back from outside, and its code may still run until its worker let go of it: its
-- place stays taken until then, or until its lease would have run out.
local function keep_place(id, fence, service, action, until_ms)
  local places = LEAVING .. ':' .. service .. '.' .. action
  redis.call('ZADD', places, until_ms, id .. ' ' .. fence)
  redis.call('PEXPIRE', places, LEAVING_MS)
end

-- It still runs, as its worker says.
local function renew_place(id, fence, service, action, until_ms)
  local places = LEAVING .. ':' .. service .. '.' .. action
  redis.call('ZADD', places, 'XX', until_ms, id .. ' ' .. fence)
  redis.call('PEXPIRE', places, LEAVING_MS)
end
