-- ARGV limit
-- Goes on with what keep_family_for() has begun. Returns how many children were looked at.
local left = tonumber(ARGV[1])
while left > 0 do
  local root = redis.call('ZRANGE', FAMILIES, 0, 0)[1]
  if not root then
    break
  end
  left = tend_family(root, left)
end
return ARGV[1] - left
