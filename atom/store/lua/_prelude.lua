-- Stands before every script, after a local for each key of names.SCRIPT_KEYS and _turns.lua. All
-- times are
-- milliseconds of the server's clock: one clock for all.
-- A script over one execution gets its key as the first; the others of the execution follow from it.
local EXECUTION, DOCUMENTS, STEPS, LOG, SIGNALS, ENDED_SIGNALS, JOIN, HELD, CHILDREN, FAMILY,
  FINISHED, KNOWN, CLEANUPS

local function look_at(key)
  EXECUTION, DOCUMENTS, STEPS, LOG = key, key .. ':documents', key .. ':steps', key .. ':log'
  SIGNALS, ENDED_SIGNALS, JOIN, HELD, CHILDREN, FAMILY, FINISHED, KNOWN, CLEANUPS =
    key .. ':signals', key .. ':ended-signals', key .. ':join', key .. ':held', key .. ':children',
    key .. ':family', key .. ':finished', key .. ':known', key .. ':cleanups'
end

if KEYS[1] then
  look_at(KEYS[1])
end

-- All that an execution consists of, wherever it is kept: hashes and lists.
local function own_keys()
  return {EXECUTION, DOCUMENTS, STEPS, LOG, CHILDREN}
end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local FINAL = {completed = true, faulted = true, failed = true, cancelled = true, timed_out = true}

-- Return the documents of these names. Long values are documents, apart from the record of the
-- execution: Redis packs a hash closely if none of its values has more than 64 bytes.
local function documents(...)
  return unpack(redis.call('HMGET', DOCUMENTS, ...))
end

-- Where people look for it, beside HISTORY and by_process(): what is known by its tenant in each
-- state, by the time of acceptance.
local function by_tenant(tenant, state)
  return HISTORY .. ':tenant:' .. tenant .. ':' .. state
end

-- The member of an execution in the index of flow states. A copy of an execution without a flow state
-- is found by its origin instead.
local function in_flow_states(id)
  local flow_state, origin = unpack(redis.call('HMGET', EXECUTION, 'state_id', 'origin'))
  return (flow_state ~= '' and flow_state or origin or '') .. ' ' .. id
end

-- Where a new execution is found from now on.
local function enter_history(id, service, action, tenant, accepted_at, state)
  redis.call('ZADD', HISTORY, accepted_at, id)
  redis.call('ZADD', HISTORY .. ':flow-states', 0, in_flow_states(id))
  redis.call('SADD', HISTORY .. ':processes', service .. '.' .. action)
  redis.call('SADD', HISTORY .. ':tenants', tenant)
  redis.call('ZADD', by_process(service, action, state), accepted_at, id)
  redis.call('ZADD', by_tenant(tenant, state), accepted_at, id)
end

-- What happened in each of the last minutes, and how often.
local function count_minute(now, what)
  local minute = MINUTES .. ':' .. math.floor(now / 60000)
  if redis.call('HINCRBY', minute, what, 1) == 1 then
    redis.call('PEXPIRE', minute, 7200000)
  end
end

-- Children are part of their parent: they are not counted.
local function count_end(now, of, state, parent)
  if not parent then
    redis.call('HINCRBY', COUNTERS, 'finished:' .. state .. ':' .. of[2] .. '.' .. of[3], 1)
    count_minute(now, state)
  end
end

-- What move() needs to know of an execution, and then the fields of these names.
local function standing(...)
  return redis.call('HMGET', EXECUTION, 'state', 'service', 'action', 'tenant_id', 'accepted_at', ...)
end

-- What a child's parent does when it has ended, how a parent stops waiting for its children, and what
-- its flow is to be told: see _children.lua.
local child_ended, leave_join, JOIN_PROGRESS = nil, nil, {}

-- Create the cleanup of an execution that ends, and note the end of a cleanup: see _cleanups.lua.
local start_cleanup, cleanup_ended

-- Every change of the state goes this way, so that it is found in the state that it is in. The
-- caller writes the state itself, with what else it writes. `of` is what standing() returns. A child
-- is found by way of its parent alone.
local function move(id, of, state)
  if redis.call('HEXISTS', EXECUTION, 'parent') == 1 then
    return
  end
  local before, service, action, tenant, accepted_at = unpack(of, 1, 5)
  redis.call('ZREM', by_process(service, action, before), id)
  redis.call('ZREM', by_tenant(tenant, before), id)
  redis.call('ZADD', by_process(service, action, state), accepted_at, id)
  redis.call('ZADD', by_tenant(tenant, state), accepted_at, id)
end

-- The same, where the caller has nothing else to write or to read.
local function enter(id, state)
  move(id, standing(), state)
  redis.call('HSET', EXECUTION, 'state', state)
end

-- An attempt is over, and another one may follow: it is kept how it went. The first one's start is
-- the execution's own.
local function keep_run(ended_at, how)
  local runs, started_at, latest_at, worker = unpack(redis.call('HMGET', EXECUTION, 'runs',
    'started_at', 'run_started_at', 'worker'))
  local began_at = latest_at or (not runs and started_at)
  if not began_at then
    return -- none was begun since
  end
  runs = runs and cjson.decode(runs) or {}
  local is_same_hold = how == 'held' and runs[#runs] and runs[#runs][4] == how
  if is_same_hold then
    runs[#runs][2], runs[#runs][3] = tonumber(ended_at), worker -- one entry, however often workers looked
  else
    runs[#runs + 1] = {tonumber(began_at), tonumber(ended_at), worker, how}
  end
  while #runs > 20 do
    table.remove(runs, 1)
  end
  redis.call('HSET', EXECUTION, 'runs', cjson.encode(runs))
  redis.call('HDEL', EXECUTION, 'run_started_at')
end

-- Kept from here on for the history only, until trim.lua forgets it: when the time that is left to
-- it is no more than this. Where that does not run, Redis does it when that is over as well.
local FOR_TRIM_MS = 86400000

-- How many children one script looks at, beside what else it does.
local CHILDREN_AT_ONCE = 100

-- Keeps the execution for so long, or for as long as nobody says otherwise (0).
local function keep_for(ms)
  for _, key in ipairs(own_keys()) do
    if ms == 0 then
      redis.call('PERSIST', key)
    else
      redis.call('PEXPIRE', key, ms)
    end
  end
end

-- Keeps the children of an execution, and theirs, for as long as the execution itself: as many of
-- them as `limit`. FAMILY lists the parents that are left, each with how many of its children are
-- done. The execution expires last, for its children are found by it. Returns what is left of `limit`.
local function tend_family(root, limit)
  local ms = tonumber(redis.call('ZSCORE', FAMILIES, root))
  look_at(root)
  local family = FAMILY
  while limit > 0 do
    local parent, first = (redis.call('LINDEX', family, 0) or ''):match('^(.*) (%d+)$')
    if not parent then
      redis.call('ZREM', FAMILIES, root)
      look_at(root)
      keep_for(ms)
      return limit - 1
    end
    look_at(parent)
    local children = redis.call('LRANGE', CHILDREN, first, first + limit - 1)
    for _, child in ipairs(children) do
      look_at(EXECUTION_PREFIX .. child)
      if FINAL[redis.call('HGET', EXECUTION, 'state')] then
        keep_for(ms) -- else it is kept anyway, and retire() sees to the rest
      end
      if redis.call('EXISTS', CHILDREN) == 1 then
        redis.call('RPUSH', family, EXECUTION .. ' 0')
      end
    end
    redis.call('LPOP', family)
    if #children == limit then
      redis.call('LPUSH', family, parent .. ' ' .. first + limit)
    end
    limit = limit - math.max(1, #children)
  end
  look_at(root)
  return 0
end

-- keep_for() for an execution with all its children that have ended, and theirs. Where they are many,
-- recovery sees to the others (tend_families.lua).
local function keep_family_for(ms)
  if redis.call('EXISTS', CHILDREN) == 0 then
    keep_for(ms)
    return
  end
  keep_for(0)
  redis.call('ZADD', FAMILIES, ms, EXECUTION)
  redis.call('DEL', FAMILY)
  redis.call('RPUSH', FAMILY, EXECUTION .. ' 0')
  tend_family(EXECUTION, CHILDREN_AT_ONCE)
end

-- Nobody knows for how long it will be needed: longer, it may be, than its children are kept. Those
-- that end from here on are kept by retire().
local function keep()
  if redis.call('HSETNX', EXECUTION, 'is_kept', 1) == 1 then
    keep_family_for(0)
  end
end

local function has_unfinished_cleanups()
  return redis.call('ZCOUNT', CLEANUPS, 0, 0) > 0
end

local function expire(retention_ms)
  if redis.call('HEXISTS', EXECUTION, 'is_kept') == 0 then
    keep_for(retention_ms + FOR_TRIM_MS)
  elseif not has_unfinished_cleanups() then -- else the last of them expires it; see cleanup_ended()
    redis.call('HDEL', EXECUTION, 'is_kept')
    keep_family_for(retention_ms + FOR_TRIM_MS)
  end
end

-- The documents and the fields that are deleted when an execution is retired: secrets, and what only
-- running an execution or sending its callback needs. Nearly all executions in Redis are retired.
local SPENT_DOCUMENTS = {'token', 'private_response', 'waits'}
local SPENT = {'holder', 'lease_until', 'not_before', 'answer_until', 'progress_at', 'progress_fraction',
  'progress_sent_at', 'callback_host', 'callback_due_at', 'callback_due_since',
  'callback_failures', 'callback_busy', 'callback_fence', 'callback_seq', 'wait_entry', 'wait_kind',
  'wait_until', 'due_set_at', 'callback_set_at'}

-- The secrets of a request that a retry needs, among its documents.
local RETRY_SECRETS = {'private_request', 'authorization'}

-- Return why an ended execution loses the secrets of its request, or nil if it keeps them for a retry.
-- They are kept only encrypted: an encrypted value begins with the byte 255. A child, unless it is a
-- cleanup, keeps none: a retry of its parent starts another child with a request of its own.
local function reason_to_delete_secrets()
  local state, is_acknowledged, parent, is_cleanup = unpack(redis.call('HMGET', EXECUTION, 'state',
    'is_acknowledged', 'parent', 'ending_state'))
  if state == 'completed' then
    return 'deleted_when_completed'
  elseif is_acknowledged then
    return 'deleted_when_dismissed'
  elseif parent and not is_cleanup then
    return 'deleted_of_child'
  elseif not KEEPS_SECRETS then
    return 'deleted_by_setting'
  end
  for _, value in ipairs({documents(unpack(RETRY_SECRETS))}) do
    if value and value ~= '' and value:byte() ~= 255 then
      return 'deleted_without_key'
    end
  end
end

-- Delete the secrets of a request, and note the reason for operators who want to retry it.
local function delete_secrets(reason)
  local is_deleted = redis.call('HDEL', DOCUMENTS, unpack(RETRY_SECRETS)) > 0
  if is_deleted and redis.call('HEXISTS', EXECUTION, 'is_private') == 1 then
    redis.call('HSET', EXECUTION, 'secrets_deleted', reason)
  end
end

-- Delete the signals, except for what a retry needs: the events become documents of the execution,
-- and the hashes of the tokens are kept. With these, a sender who repeats a signal learns that the
-- execution has ended. They outlast its move to the history database.
local function end_signals(retention_ms)
  for _, field in ipairs(redis.call('HKEYS', SIGNALS)) do
    if field:sub(1, 5) == 'hash:' then
      redis.call('HSET', ENDED_SIGNALS, field:sub(6), redis.call('HGET', SIGNALS, field))
      redis.call('PEXPIRE', ENDED_SIGNALS, math.max(1, retention_ms))
    elseif field:sub(1, 6) == 'event:' then
      redis.call('HSET', DOCUMENTS, field, redis.call('HGET', SIGNALS, field))
    end
  end
  redis.call('DEL', SIGNALS)
end

-- Nothing is left to do for it. Should it be run again, its flow hears nothing of that: the token is
-- forgotten, and no callback can be made of what is left.
local function retire(retention_ms)
  local reason = reason_to_delete_secrets()
  if reason then
    delete_secrets(reason)
  end
  redis.call('HDEL', DOCUMENTS, unpack(SPENT_DOCUMENTS))
  redis.call('HDEL', EXECUTION, unpack(SPENT))
  end_signals(retention_ms)
  leave_join()
  -- What began it all may go on until its deadline, and has to find its children after that.
  local root, deadline, is_kept = redis.call('HGET', EXECUTION, 'root'), nil, nil
  if root then
    deadline, is_kept = unpack(redis.call('HMGET', EXECUTION_PREFIX .. root, 'deadline', 'is_kept'))
  end
  if not is_kept then
    expire(retention_ms + (deadline and math.max(0, deadline - now_ms()) or 0))
  end
end

-- Remove the failed cleanups of a family from the inbox. Returns their number.
local function drop_failed_cleanups()
  local removed, cleanups = 0, redis.call('ZRANGE', CLEANUPS, 0, -1)
  for _, cleanup in ipairs(cleanups) do
    removed = removed + redis.call('ZREM', FAILED, cleanup)
  end
  if #cleanups > 0 then
    redis.call('DEL', CLEANUPS)
  end
  return removed
end

-- The name of the signal that an entry ('<occurrence>:<name>') waits for.
local function signal_of(entry)
  return entry:match('^%d+:(.*)$')
end

-- The journal of the execution fits the code again, or nobody needs to know.
local function end_hold(id)
  if redis.call('HDEL', EXECUTION, 'held_since') == 1 then
    redis.call('HDEL', EXECUTION, 'error')
    redis.call('ZREM', HELD_EXECUTIONS, id)
  end
end

-- It goes from here, and from every index that people look at. A request that comes again is not
-- run again for as long as its execution would have been kept, nor until the retention after its
-- deadline is over; none has an id of this version but that of a request.
local function forget(id, now, retention_ms)
  local state, service, action, tenant, deadline = unpack(redis.call('HMGET', EXECUTION,
    'state', 'service', 'action', 'tenant_id', 'deadline'))
  if state then
    redis.call('ZREM', by_process(service, action, state), id)
    redis.call('ZREM', by_tenant(tenant, state), id)
    redis.call('ZREM', HISTORY .. ':flow-states', in_flow_states(id))
    local left = math.max(deadline + retention_ms - now,
      redis.call('PTTL', EXECUTION) - FOR_TRIM_MS)
    if id:sub(15, 15) == '8' and left > 0 then
      redis.call('SET', KNOWN, '', 'PX', left)
    end
  end
  redis.call('ZREM', FAILED, id)
  drop_failed_cleanups()
  redis.call('ZREM', HISTORY, id)
  redis.call('UNLINK', SIGNALS, JOIN, HELD, FAMILY, unpack(own_keys()))
end

-- Differs when anything of an ended execution has changed. Its log may go on for a while.
local function fingerprint()
  local of = redis.call('HMGET', EXECUTION, 'accepted_at', 'state', 'finished_at', 'callback_state',
    'delivered_at', 'is_acknowledged')
  for index = 1, 6 do
    of[index] = of[index] or ''
  end
  of[7], of[8] = redis.call('LLEN', LOG), redis.sha1hex(redis.call('LINDEX', LOG, -1) or '')
  return table.concat(of, ' ')
end

-- What it was suspended for has come: it waits for a worker again. `of` as for move().
local function wake(id, now, of, queue)
  move(id, of, 'accepted')
  redis.call('HSET', EXECUTION, 'state', 'accepted', 'not_before', now, 'is_resumed', 1)
  redis.call('ZREM', SUSPENDED, id)
  wait_for_turn(id, now, of, queue, redis.call('HGET', EXECUTION, 'priority'))
end

local function forget_turns(id)
  for _, index in ipairs({ACCEPTED, SCHEDULED, SUSPENDED, LEASES, DEADLINES}) do
    redis.call('ZREM', index, id)
  end
end

-- Nothing is sent to the host until then, but for one look whether it is well.
local function open_circuit(circuit, host, open_until)
  redis.call('HSET', circuit, 'open_until', open_until)
  redis.call('ZADD', CIRCUITS, open_until, host)
  redis.call('PEXPIRE', CIRCUITS, 3600000)
end

-- Whether a worker has to be woken for callbacks that are due: not while another wake-up is on its
-- way, for whoever takes that one looks for all of them, nor while somebody is about to look anyway.
-- Should the wake-up be lost, or that somebody die, recovery wakes one.
local function should_wake()
  if redis.call('EXISTS', ATTENDED) == 1 then
    return 0
  end
  return redis.call('SET', WOKEN, '', 'NX', 'PX', 60000) and 1 or 0
end

-- The time at which a due time was set is kept beside it: a clock that is set back is noticed by it.
local function make_callback_due(id, due)
  redis.call('HSET', EXECUTION, 'callback_state', 'due', 'callback_due_at', due, 'callback_set_at',
    now_ms())
  redis.call('ZADD', CALLBACKS, due, id)
end

-- No listener waits for longer; a later time was set by a clock that was ahead.
local LONGEST_ANSWER_MS = 120000

-- Writes the outcome and the callback that is due for it; the caller has checked that it may.
-- `private` is the response with its secrets, '' where it has none. `of` as for move().
-- Returns 1 where a worker is to be woken for the callback, 0 where something else will see to it.
local function finish(id, now, of, state, response, failure, private, retention_ms)
  end_hold(id)
  local answer, answer_until, callback_state, seq, earlier_failure, limit, parent, index,
    has_cleanup, is_cleanup = unpack(redis.call('HMGET', EXECUTION, 'answer', 'answer_until',
      'callback_state', 'callback_seq', 'error', 'limit', 'parent', 'parent_index', 'has_cleanup',
      'ending_state'))
  local is_synchronous, is_sending = answer == 'only' or answer == 'late', callback_state == 'delivering'
  local due = now
  if answer == 'pending' then
    -- A listener waits to answer with it. Should that listener die, the callback follows.
    due = math.max(now, math.min(tonumber(answer_until), now + LONGEST_ANSWER_MS))
  end
  local written = {'state', state, 'finished_at', now, 'callback_seq', (seq or 0) + 1,
    'callback_failures', 0, 'callback_busy', 0, 'callback_due_since', now}
  if failure ~= '' or earlier_failure then
    written[#written + 1], written[#written + 2] = 'error', failure
  end
  if not is_synchronous and not is_sending then
    for _, each in ipairs({'callback_state', 'due', 'callback_due_at', due, 'callback_set_at', now}) do
      written[#written + 1] = each
    end
  end
  redis.call('HSET', EXECUTION, unpack(written))
  if is_synchronous or private == '' then
    redis.call('HSET', DOCUMENTS, 'response', response)
  else
    redis.call('HSET', DOCUMENTS, 'response', response, 'private_response', private)
  end
  move(id, of, state)
  leave_place(id, of[2], of[3], limit, now)
  count_end(now, of, state, parent)
  if (state == 'failed' or state == 'timed_out') and (not parent or is_cleanup) then
    redis.call('ZADD', FAILED, now, id)
  end
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', DEADLINES, id)
  if of[1] == 'suspended' then
    redis.call('ZREM', SUSPENDED, id)
  end
  if has_cleanup then
    start_cleanup(id, now, of, state, failure)
  end
  if is_synchronous then
    -- The request itself is answered or nobody is: the result goes straight to who waits.
    if answer == 'only' then
      redis.call('LPUSH', FINISHED, state .. ' ' .. (private ~= '' and private or response))
      redis.call('PEXPIRE', FINISHED, 60000)
    end
    retire(retention_ms)
    if is_cleanup then
      cleanup_ended(id, state, retention_ms)
    elseif parent then
      if private ~= '' then
        redis.call('HSET', EXECUTION, 'is_masked', 1)
      end
      child_ended(parent, id, index, state, private ~= '' and private or response, now)
    end
    return 0
  end
  if is_sending then
    return 0 -- a progress callback is on its way; recording its answer makes this one due
  end
  redis.call('ZADD', CALLBACKS, due, id)
  if answer == 'pending' then
    redis.call('LPUSH', FINISHED, '1')
    redis.call('PEXPIRE', FINISHED, 60000)
  end
  return due == now and should_wake() or 0
end

-- Ends what nobody has started, and nobody waits for any more.
local function withdraw(id, now, retention_ms, why)
  end_hold(id)
  local of = standing('queue', 'limit', 'parent', 'has_cleanup', 'ending_state')
  end_waiting(id, now, of, of[6], of[7])
  move(id, of, 'cancelled')
  redis.call('HSET', EXECUTION, 'state', 'cancelled', 'finished_at', now, 'error', why)
  call_next(of[2], of[3], of[7], now)
  count_end(now, of, 'cancelled', of[8])
  forget_turns(id)
  if of[9] then -- its process ran before: it was put off, or woken
    start_cleanup(id, now, of, 'cancelled', why)
  end
  retire(retention_ms)
  if of[10] then
    cleanup_ended(id, 'cancelled', retention_ms)
  end
end

-- Takes a due callback for `hold_ms`: what its delivery needs as a flat list of fields and values,
-- or nothing: none is due, another worker is at it, its host is in trouble (the callback is put
-- off), or another callback of the same flow state is on its way (which wakes this one when it is
-- done, and until then next_delivery does not find it).
local function take_callback(id, now, hold_ms, threshold, spread_ms)
  local names = {'state', 'callback_fence', 'callback_seq', 'callback_uri', 'service', 'action',
    'tenant_id', 'state_id', 'trace', 'progress', 'callback_failures', 'callback_busy',
    'callback_due_since', 'callback_state', 'callback_due_at', 'callback_host'}
  local values = redis.call('HMGET', EXECUTION, unpack(names))
  local row = {}
  for index, name in ipairs(names) do
    row[name] = values[index]
  end
  if row.callback_state ~= 'due' and row.callback_state ~= 'delivering' then
    redis.call('ZREM', CALLBACKS, id)
    return false
  end
  if tonumber(row.callback_due_at) > now then
    redis.call('ZADD', CALLBACKS, row.callback_due_at, id) -- it was put off, and then woken
    return false
  end
  local host, circuit = row.callback_host, CIRCUIT_PREFIX .. row.callback_host
  local failures, open_until = unpack(redis.call('HMGET', circuit, 'failures', 'open_until'))
  if open_until and tonumber(open_until) > now then
    make_callback_due(id, open_until + spread_ms)
    return false
  end
  local is_probe = failures and tonumber(failures) >= tonumber(threshold)
  if row.state_id ~= '' then
    local lock = FLOW_STATE_PREFIX .. row.tenant_id .. ':' .. row.state_id
    if not redis.call('SET', lock, id, 'NX', 'PX', hold_ms) and redis.call('GET', lock) ~= id then
      redis.call('SADD', lock .. ':waiting', id)
      redis.call('PEXPIRE', lock .. ':waiting', hold_ms)
      redis.call('ZADD', CALLBACKS, now + hold_ms, id)
      return false
    end
  end
  if is_probe then
    -- This callback shows whether the host is well again. The others wait for its result.
    open_circuit(circuit, host, now + hold_ms)
    redis.call('HSET', circuit, 'probe_until', now + hold_ms)
  end
  row.callback_fence = (row.callback_fence or 0) + 1
  local written = {'callback_state', 'delivering', 'callback_due_at', now + hold_ms,
    'callback_set_at', now, 'callback_fence', row.callback_fence}
  if not FINAL[row.state] then
    written[#written + 1], written[#written + 2] = 'progress_sent_at', now
  end
  redis.call('HSET', EXECUTION, unpack(written))
  redis.call('ZADD', CALLBACKS, now + hold_ms, id)
  row.token, row.authorization, row.response, row.private_response =
    documents('token', 'authorization', 'response', 'private_response')
  row.claimed_at = now
  local found = {}
  for name, value in pairs(row) do
    if value then
      found[#found + 1] = name
      found[#found + 1] = tostring(value)
    end
  end
  return found
end
