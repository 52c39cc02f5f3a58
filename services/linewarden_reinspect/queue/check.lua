-- Whether what the view keeps agrees with itself: all sizes at each call, and the slots of some ranks, one by one.
-- ARGV: rank to begin with, most slots. Answers the rank to go on with, 0 after the last. Error: DAMAGED, with what is.
-- Its cost does not grow with what waits, but for the number of lines, pools, recipes and people.
local from, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local wrong

local function need(is_so, what)
  if not is_so and not wrong then wrong = what end
end

local function expected(name)
  return tonumber(redis.call('HGET', SUMS, name) or '0')
end

local function total(hash, of)
  local all = 0
  for _, value in ipairs(redis.call('HVALS', hash)) do all = all + of(value) end
  return all
end

local function words(text)
  local _, many = string.gsub(text, '%S+', '')
  return many
end

local function lasts(key)
  -- A key that somebody set a time on would go later, and nobody would see it go.
  need(redis.call('TTL', key) < 0, key .. ' would expire')
  return key
end

for _, key in ipairs({ OFF, SUMS, COUNTS, CODES, HANDS, TOKENS, ROWS, ASKED }) do redis.call('HLEN', lasts(key)) end
for _, key in ipairs({ LEASE, DEAD, SKIP, AGE, LATE }) do redis.call('ZCARD', lasts(key)) end
redis.call('XLEN', lasts(EVENTS))
redis.call('GET', lasts(P .. ':untold'))
redis.call('GET', lasts(P .. ':rev'))

local rows, slots = redis.call('HKEYS', ROWS), 0
table.sort(rows)
for _, row in ipairs(rows) do
  slots = slots + redis.call('ZCARD', lasts(P .. ':open:' .. row))
  need(total(lasts(P .. ':in:' .. row), tonumber) == expected('in|' .. row), 'in:' .. row)
end
need(#rows == expected('rows'), 'rows')
need(slots == expected('items'), 'open')

local ready, held, dead = 0, redis.call('ZCARD', LEASE), redis.call('ZCARD', DEAD)
for _, pool in ipairs(redis.call('SMEMBERS', lasts(POOLS))) do
  ready = ready + redis.call('ZCARD', lasts(P .. ':ready:' .. pool))
end
need(ready + held + dead == slots, 'ready, lease or dead')
need(redis.call('ZCARD', AGE) + redis.call('ZCARD', LATE) == expected('aged'), 'age or late')
need(redis.call('HLEN', CODES) == expected('codes'), 'codes')
need(redis.call('HLEN', TOKENS) == held, 'tokens')
need(total(HANDS, words) == held, 'hands')

local states, counts = { ready = 0, leased = 0, parked = 0, dead = 0, overdue = 0 }, redis.call('HGETALL', COUNTS)
for i = 1, #counts, 2 do
  local state = string.match(counts[i], '|([^|]*)$')
  states[state] = (states[state] or 0) + tonumber(counts[i + 1])
end
need(states.ready == ready and states.leased + states.parked == held and states.dead == dead, 'n')
need(states.overdue == redis.call('ZCARD', LATE), 'n of overdue')

local function is_under(hash, key, slot)
  for _, other in ipairs(slots_under(hash, key)) do
    if other == slot then return true end
  end
  return key == ''
end

local function score(set, slot)
  return tonumber(redis.call('ZSCORE', set, slot) or nil)
end

local function is_in_hands(slot)
  local h = redis.call('HMGET', item(slot), 'op', 'tok', 'since')
  return h[1] and h[2] and h[3] and score(LEASE, slot) and redis.call('HGET', TOKENS, h[2]) == slot and is_under(HANDS, h[1], slot)
end

local function is_whole(slot, row)
  local h = redis.call('HMGET', item(slot), 'visit', 'line', 'due', 'opened', 'skill', 'needs', 'excl', 'open', 'part', 'bin',
    'pool', 'row', 'st', 'home', 'cause', 'deliv', 'skips')
  for i = 1, 17 do
    if not h[i] then return false end
  end
  lasts(item(slot))
  if h[12] ~= row or h[11] ~= h[2] .. '|' .. h[5] .. '|' .. h[6] then return false end
  if score(P .. ':open:' .. row, slot) ~= tonumber(h[4]) then return false end
  if field(slot, 'late') and score(LATE, slot) ~= tonumber(h[4]) then return false end
  if not (is_under(CODES, h[9], slot) and is_under(CODES, h[10], slot)) then return false end
  if h[13] == 'ready' then
    return score(P .. ':ready:' .. h[11], slot) == tonumber(h[3]) and redis.call('SISMEMBER', POOLS, h[11]) == 1
  elseif h[13] == 'dead' then
    return score(DEAD, slot) and field(slot, 'why')
  elseif h[13] == 'leased' or h[13] == 'parked' then
    return is_in_hands(slot) and (h[14] ~= 'dead' or field(slot, 'why')) and (h[13] == 'leased' or field(slot, 'did'))
  end
  return false
end

local rank, left = 0, most
for _, row in ipairs(rows) do
  local key = P .. ':open:' .. row
  local size = redis.call('ZCARD', key)
  if left > 0 and from < rank + size then
    local first = math.max(from - rank, 0)
    -- A part at each call: all of them would hold up everybody's claims for as long as it takes.
    for _, slot in ipairs(redis.call('ZRANGE', key, first, first + left - 1)) do
      need(is_whole(slot, row), 'slot ' .. slot)
      left = left - 1
    end
  end
  rank = rank + size
end

if wrong then return { err = 'DAMAGED ' .. wrong } end
return from + most < rank and from + most or 0
