-- ARGV id, hold_ms, circuit threshold, spread_ms
-- Whoever was woken has come; the next wake-up is another one. Returns what take_callback() does.
redis.call('DEL', WOKEN)
return take_callback(ARGV[1], now_ms(), ARGV[2], ARGV[3], ARGV[4])
