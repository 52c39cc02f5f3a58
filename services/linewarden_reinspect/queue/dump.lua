-- The whole state, to be compared with another: { slot, st, due, open, ... }.
local answer = {}
for _, row in ipairs(redis.call('HKEYS', ROWS)) do
  for _, slot in ipairs(redis.call('ZRANGE', P .. ':open:' .. row, 0, -1)) do
    local h = redis.call('HMGET', item(slot), 'st', 'due', 'open', 'op', 'deliv', 'skips', 'late')
    answer[#answer + 1] = { slot, h[1], h[2], h[3], h[4] or '', h[5], h[6], h[7] or '' }
  end
end
return answer
