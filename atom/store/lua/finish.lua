-- ARGV id, fence, state, response, error, private response, retention_ms
-- Returns {-1} where the caller no longer holds the execution, else what finish() says, and beside it
-- JOIN_PROGRESS.
local row = standing('fence')
local state, fence = row[1], row[6]
if fence ~= ARGV[2] then
  return {-1}
end
if state == ARGV[3] then
  return {0} -- repeated after a lost reply: it is written, and recovery knows of its callback
end
if state ~= 'running' then
  return {-1}
end
local due = finish(ARGV[1], now_ms(), row, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return {due, JOIN_PROGRESS}
