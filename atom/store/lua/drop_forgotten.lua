-- KEYS an execution that was not there, indexes
-- ARGV its id
-- Takes it out of the indexes, unless it was brought back, or came again, meanwhile.
if redis.call('EXISTS', EXECUTION) == 0 then
  for number = 2, #KEYS do
    redis.call('ZREM', KEYS[number], ARGV[1])
  end
end
