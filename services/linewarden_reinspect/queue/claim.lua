-- Gives the most urgent slot that this actor may take.
-- ARGV: actor, token, ttl_ms, max_deliveries, lead (1 | 0), then lines to choose from (none = all)
-- Answers { leases that ran out, slot, until, open } or { leases that ran out }. Error: NOT_LIVE.
-- The same token again, after an answer that was lost on its way, gives the same slot and no second one.
-- A lead is offered what waits for a lead first. Excluded actors and skips are honoured in every case.
if redis.call('GET', P .. ':mode') ~= 'live' or redis.call('EXISTS', P .. ':gate') == 0 then return { err = 'NOT_LIVE' } end
local actor, token, lead = ARGV[1], ARGV[2], ARGV[5] == '1'
local ended = reap(100, tonumber(ARGV[4]))
local lines = {}
for i = 6, #ARGV do lines[ARGV[i]] = true end

local function may_take(slot)
  local h = redis.call('HMGET', item(slot), 'line', 'skill', 'excl')
  if #ARGV >= 6 and not lines[h[1]] then return false end
  if h[2] == 'lead' and not lead then return false end
  for _, excluded in ipairs(cjson.decode(h[3])) do
    if excluded == actor then return false end
  end
  local skipped_until = redis.call('ZSCORE', SKIP, slot .. '|' .. actor)
  return not skipped_until or tonumber(skipped_until) <= now
end

local function first(set)
  local start, page = 0, 100
  while true do
    local slots = redis.call('ZRANGE', set, start, start + page - 1)
    for _, slot in ipairs(slots) do
      if may_take(slot) then return slot end
    end
    if #slots < page then return nil end
    start = start + page
  end
end

for _, mine in ipairs(redis.call('ZRANGE', LEASE, 0, -1)) do
  if redis.call('HGET', item(mine), 'tok') == token then
    return { ended, mine, tonumber(redis.call('ZSCORE', LEASE, mine)), redis.call('HGET', item(mine), 'open') }
  end
end

local slot = (lead and first(DEAD)) or first(READY)
if not slot then return { ended } end
local till = now + tonumber(ARGV[3])
redis.call('ZREM', READY, slot)
redis.call('ZREM', DEAD, slot)
redis.call('ZADD', LEASE, till, slot)
redis.call('HSET', item(slot), 'st', 'leased', 'op', actor, 'tok', token, 'since', now)
changed()
return { ended, slot, till, redis.call('HGET', item(slot), 'open') }
