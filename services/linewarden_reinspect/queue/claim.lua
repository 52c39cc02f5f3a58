-- Gives a slot: the one that was scanned, else the most urgent one that this actor may take.
-- ARGV: actor, token, ttl_ms, max_deliveries, lead (1 | 0), scanned code or '', number of lines, lines to choose from
--       (none = all), then the actor's skills
-- Answers { 'lease', slot, until, open }, { 'none' }, or { 'refused', why, holder, until } of a scanned code.
-- Error: NOT_LIVE. The same token again, after an answer that was lost, gives the same slot and no second one.
-- A lead is offered what waits for a lead first, then what is overdue, and needs no skill, so that nothing is stranded.
-- Excluded actors are honoured in every case, and so is who holds another round of the visit; skips, but for a scan.
if not is_live() then return { err = 'NOT_LIVE' } end
local actor, token, lead, code = ARGV[1], ARGV[2], ARGV[5] == '1', ARGV[6]
local last_line = 7 + tonumber(ARGV[7])
-- First, so that a slot whose lease has just run out can be given without waiting for the next round.
reap(100, tonumber(ARGV[4]))
local lines, skills, mine = {}, { [''] = true }, {}
for i = 8, last_line do lines[ARGV[i]] = true end
for i = last_line + 1, #ARGV do skills[ARGV[i]] = true end

local function refuses_pool(line, skill, needs)
  if last_line > 7 and not lines[line] then return 'line' end
  if skill == 'lead' and not lead then return 'lead' end
  if not skills[needs] and not lead then return 'skill' end
  return nil
end

local function refuses(slot)
  local h = redis.call('HMGET', item(slot), 'line', 'skill', 'needs', 'excl', 'visit')
  local why = refuses_pool(h[1], h[2], h[3])
  if why then return why end
  if mine[h[5]] then return 'judged' end
  for _, excluded in ipairs(cjson.decode(h[4])) do
    if excluded == actor then return 'judged' end
  end
  -- Who scans a part has it in the hand, whatever they skipped before.
  if code ~= '' then return nil end
  local skipped_until = redis.call('ZSCORE', SKIP, slot .. '|' .. actor)
  return skipped_until and tonumber(skipped_until) > now and 'skipped' or nil
end

local function first(set, state)
  local start, page = 0, 100
  while true do
    local slots = redis.call('ZRANGE', set, start, start + page - 1)
    for _, slot in ipairs(slots) do
      if field(slot, 'st') == state and not refuses(slot) then return slot end
    end
    -- By pages: the first that may be taken is mostly near the front, and sets are long.
    if #slots < page then return nil end
    start = start + page
  end
end

local function most_urgent()
  local best, best_due = nil, nil
  for _, pool in ipairs(redis.call('SMEMBERS', POOLS)) do
    local line, skill, needs = string.match(pool, '^(.-)|(.-)|(.*)$')
    local slot = not refuses_pool(line, skill, needs) and first(P .. ':ready:' .. pool, 'ready')
    local due = slot and tonumber(field(slot, 'due'))
    -- Ties by the id, so that the model in Python and this script agree.
    if slot and (not best or due < best_due or (due == best_due and slot < best)) then best, best_due = slot, due end
  end
  return best
end

local function lease(slot, cause)
  local till = now + tonumber(ARGV[3])
  local h = redis.call('HMGET', item(slot), 'visit', 'open')
  leave_pool(slot)
  pick_up(slot, actor, token, till)
  set_state(slot, 'leased')
  tell(slot, h[1], 'claimed', actor, cause)
  changed()
  return { 'lease', slot, till, h[2] }
end

local function scanned()
  local refused = { 'refused', 'unknown', '', 0 }
  local named = slots_under(CODES, code)
  -- The station names a slot by its id.
  if redis.call('EXISTS', item(code)) == 1 then named = { code } end
  for _, slot in ipairs(named) do
    local h = redis.call('HMGET', item(slot), 'st', 'op')
    local why = refuses(slot) or (h[1] == 'dead' and not lead and 'lead') or nil
    if h[1] == 'leased' or h[1] == 'parked' then
      refused = { 'refused', h[1], h[2], tonumber(redis.call('ZSCORE', LEASE, slot)) }
    elseif why then
      refused = { 'refused', why, '', 0 }
    else
      return lease(slot, 'scanned ' .. code)
    end
  end
  return refused
end

-- Before anything is chosen: the answer to this token may have been lost on the way.
local known = redis.call('HGET', TOKENS, token)
if known then return { 'lease', known, tonumber(redis.call('ZSCORE', LEASE, known)), field(known, 'open') } end
for _, slot in ipairs(slots_under(HANDS, actor)) do mine[field(slot, 'visit')] = true end
if code ~= '' then return scanned() end
local slot = (lead and (first(DEAD, 'dead') or first(LATE, 'ready'))) or most_urgent()
return slot and lease(slot, '') or { 'none' }
