-- What waits and who holds what. ARGV: most slots to name of each kind: in hands, left over, waiting for a lead, for others.
-- Answers { now, live (1 | 0), revision, untold events, JSON by line, by pool, demands, named slots }; an empty list is
-- an empty text. Its cost does not grow with what waits, but for the number of lines, pools and recipes.
local by_line, pools, demands, named, most = {}, {}, {}, {}, tonumber(ARGV[1])

local function line_of(line)
  if not by_line[line] then
    by_line[line] = { ready = 0, leased = 0, parked = 0, dead = 0, overdue = 0, next_due_ms = 0, oldest_ms = 0 }
  end
  return by_line[line]
end

local function name(slot)
  local h = redis.call('HMGET', item(slot), 'line', 'st', 'due', 'op', 'cause', 'opened', 'why', 'late', 'part', 'skill', 'needs', 'excl', 'open')
  local is_dead = h[2] == 'dead'
  local handed = cjson.decode(h[13]).handover
  -- A field that is null comes as a value of its own.
  if type(handed) ~= 'table' then handed = {} end
  return { part_id = h[9], skill = h[10], needs = h[11], excluded = h[12], sender = handed.actor or '', handed_ms = handed.at_ms or 0, slot_id = slot, line_id = h[1], state = h[2], due_ms = tonumber(h[3]), holder = h[4] or '',
    until_ms = tonumber(redis.call('ZSCORE', LEASE, slot) or '0'), cause = h[5], opened_ms = tonumber(h[6]),
    why = is_dead and h[7] or '', overdue = h[8] == '1' }
end

local function earlier(a, b)
  if a.due_ms ~= b.due_ms then return a.due_ms < b.due_ms end
  return a.slot_id < b.slot_id
end

local counts = redis.call('HGETALL', COUNTS)
for i = 1, #counts, 2 do
  local line, state = string.match(counts[i], '^(.-)|(.*)$')
  if tonumber(counts[i + 1]) > 0 then line_of(line)[state] = tonumber(counts[i + 1]) end
end

for _, row in ipairs(redis.call('HKEYS', ROWS)) do
  local line, recipe = string.match(row, '^(.-)|(.*)$')
  local d = demand(row)
  if d[2] > 0 then
    local oldest = line_of(line).oldest_ms
    if oldest == 0 or d[4] < oldest then line_of(line).oldest_ms = d[4] end
  end
  if d[1] ~= '' then
    demands[#demands + 1] = { line_id = line, recipe_id = recipe, ask = d[1], waiting = d[2], oldest_ms = d[4],
      opened_in_hour = d[5], capacity_per_hour = d[6], max_age_ms = d[7] }
  end
end

for _, set in ipairs({ LEASE, DEAD }) do
  for _, slot in ipairs(redis.call('ZRANGE', set, 0, most - 1)) do named[#named + 1] = name(slot) end
end
local ready = {}
for _, pool in ipairs(redis.call('SMEMBERS', POOLS)) do
  local line, skill, needs = string.match(pool, '^(.-)|(.-)|(.*)$')
  local slots = redis.call('ZRANGE', P .. ':ready:' .. pool, 0, most - 1)
  for _, slot in ipairs(slots) do ready[#ready + 1] = name(slot) end
  local due = tonumber(field(slots[1], 'due'))
  pools[#pools + 1] = { line_id = line, skill = skill, needs = needs, next_due_ms = due,
    ready = redis.call('ZCARD', P .. ':ready:' .. pool) }
  local next_due = line_of(line).next_due_ms
  if next_due == 0 or due < next_due then line_of(line).next_due_ms = due end
end
table.sort(ready, earlier)
-- A lead's are named by themselves: behind all that waits for others nobody would see them.
local count = { [true] = 0, [false] = 0 }
for _, slot in ipairs(ready) do
  local is_leads = slot.skill == 'lead'
  if count[is_leads] < most then
    count[is_leads], named[#named + 1] = count[is_leads] + 1, slot
  end
end

local function json(list)
  return #list > 0 and cjson.encode(list) or ''
end

return { now, is_live() and 1 or 0, redis.call('GET', P .. ':rev') or '0', redis.call('GET', P .. ':untold') or '0',
  cjson.encode(by_line), json(pools), json(demands), json(named) }
