-- Takes back what ran out, marks what is overdue, and tells where a line's demand changed.
-- ARGV: limit, max_deliveries. Answers { slot, visit, actor, was, is } of each lease or park that ran out.
local limit = tonumber(ARGV[1])
local ended = reap(limit, tonumber(ARGV[2]))

for _, slot in ipairs(redis.call('ZRANGEBYSCORE', AGE, '-inf', now, 'LIMIT', 0, limit)) do
  local h = redis.call('HMGET', item(slot), 'visit', 'line', 'opened')
  redis.call('ZREM', AGE, slot)
  redis.call('ZADD', LATE, h[3], slot)
  redis.call('HSET', item(slot), 'late', 1)
  count(h[2], 'overdue', 1)
  tell(slot, h[1], 'overdue', 'queue', 'older than its recipe allows: offered to leads first')
  changed()
end

local function ask(row)
  local d = demand(row)
  local was, slot, visit = string.match(redis.call('HGET', ASKED, row) or '', '^(%S+) (%S+) (%S+)$')
  -- Told as it changes, not at every look.
  if d[1] == (was or '') then return end
  if d[1] == '' then
    redis.call('HDEL', ASKED, row)
    tell(slot, visit, 'line-free', 'queue', row .. ': within capacity and age again')
  else
    slot, visit = d[3], field(d[3], 'visit')
    redis.call('HSET', ASKED, row, d[1] .. ' ' .. slot .. ' ' .. visit)
    tell(slot, visit, 'line-' .. d[1], 'queue', string.format(
      '%s: waiting %d, oldest %d s, opened in an hour %d; capacity an hour %d, maximum age %d s',
      row, d[2], math.floor((now - d[4]) / 1000), d[5], d[6], math.floor(d[7] / 1000)))
  end
  changed()
end

local function prune(row)
  local minutes = redis.call('HGETALL', P .. ':in:' .. row)
  for i = 1, #minutes, 2 do
    if (tonumber(minutes[i]) + 60) * MINUTE <= now then
      redis.call('HDEL', P .. ':in:' .. row, minutes[i])
      sum('in|' .. row, -tonumber(minutes[i + 1]))
    end
  end
end

-- Only by a whole view: half of one would call the line free, or ask for a stop, for slots it has yet to read.
if is_live() then
  for _, row in ipairs(redis.call('HKEYS', ROWS)) do
    prune(row)
    ask(row)
  end
end
return ended
