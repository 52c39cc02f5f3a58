-- What waits and who holds what. ARGV: most slots to name of each kind.
-- Answers { now, live (1 | 0), revision, JSON by line, JSON of named slots }.
local by_line, named, most = {}, {}, tonumber(ARGV[1])

local function count(set)
  local n = 0
  for _, slot in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    local h = redis.call('HMGET', item(slot), 'line', 'st', 'due', 'op', 'open')
    local line = by_line[h[1]]
    if not line then
      line = { ready = 0, leased = 0, parked = 0, dead = 0, next_due_ms = 0, oldest_ms = 0 }
      by_line[h[1]] = line
    end
    line[h[2]] = line[h[2]] + 1
    local open = cjson.decode(h[5])
    if h[2] ~= 'parked' then
      if line.oldest_ms == 0 or open.opened_ms < line.oldest_ms then line.oldest_ms = open.opened_ms end
      if line.next_due_ms == 0 or tonumber(h[3]) < line.next_due_ms then line.next_due_ms = tonumber(h[3]) end
    end
    if n < most then
      named[#named + 1] = { slot_id = slot, line_id = h[1], state = h[2], due_ms = tonumber(h[3]), holder = h[4] or '',
        until_ms = tonumber(redis.call('ZSCORE', LEASE, slot) or '0'), cause = open.causes[1], opened_ms = open.opened_ms }
    end
    n = n + 1
  end
end

count(LEASE)
count(DEAD)
count(READY)
local live = redis.call('GET', P .. ':mode') == 'live' and redis.call('EXISTS', P .. ':gate') == 1
if #named == 0 then named = nil end
return { now, live and 1 or 0, redis.call('GET', P .. ':rev') or '0', cjson.encode(by_line), named and cjson.encode(named) or '[]' }
