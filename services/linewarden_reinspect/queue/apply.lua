-- One record of the topic and its offset, in one step.
-- ARGV: topic id, partition, expected next offset, offset, what (open | close | none), slot, and of an open:
--       visit, line, due_ms, opened_ms, skill, needs, recipe, part, bin, excluded actors (JSON), the open (JSON),
--       capacity an hour or 0, maximum age or '', cause; of a close: by whom, reason
-- Answers the next offset of the partition. Errors: FOREIGN (another topic, or emptied), ROLLED_BACK (the state
-- is older than the caller knows). A record below the stored offset was applied before and changes nothing.
-- The last record of a slot wins, as in a compacted topic. A rebuild tells no events: they were told before.
-- Before the offsets, which say nothing of another topic.
if redis.call('HGET', OFF, 'topic') ~= ARGV[1] then return { err = 'FOREIGN' } end
local stored = tonumber(redis.call('HGET', OFF, ARGV[2]) or '0')
local offset = tonumber(ARGV[4])
if stored < tonumber(ARGV[3]) then return { err = 'ROLLED_BACK' } end
-- Applied before, which is harmless; a state that lost records is not, and was refused above.
if stored > offset then return stored end

local what, slot = ARGV[5], ARGV[6]
local is_known = redis.call('EXISTS', item(slot)) == 1
local is_following = redis.call('GET', P .. ':mode') == 'live'

local function open(visit, line, due, opened, skill, needs, recipe, part, bin, excluded, json, capacity, age, cause)
  local row = line .. '|' .. recipe
  -- Out of every index by what was known before: what the new open changes could not be found there any more.
  if is_known then unindex(slot) else redis.call('HSET', item(slot), 'st', 'ready', 'home', 'ready', 'deliv', 0, 'skips', 0) end
  redis.call('HSET', item(slot), 'visit', visit, 'line', line, 'due', due, 'opened', opened, 'skill', skill, 'needs', needs,
    'part', part, 'bin', bin, 'cause', cause, 'excl', excluded, 'open', json, 'row', row, 'pool', line .. '|' .. skill .. '|' .. needs)
  sum('rows', redis.call('HSET', ROWS, row, cjson.encode({ capacity = tonumber(capacity), age = tonumber(age) or 0 })))
  index(slot, age)
  -- Sent again with a late frame: it is the same request, so it counts and is told once.
  if is_known then return end
  sum('items', 1)
  if tonumber(opened) + HOUR > now then
    redis.call('HINCRBY', P .. ':in:' .. row, tostring(math.floor(tonumber(opened) / MINUTE)), 1)
    sum('in|' .. row, 1)
  end
  if is_following then tell(slot, visit, 'opened', 'route', cause) end
end

if what == 'open' then
  open(unpack(ARGV, 7, 20))
  changed()
elseif what == 'close' and is_known then
  if is_following then tell(slot, field(slot, 'visit'), 'closed', ARGV[7], ARGV[8]) end
  unindex(slot)
  -- Also out of the hands of who holds it: a close overrules every lease.
  put_down(slot)
  redis.call('ZREM', DEAD, slot)
  redis.call('DEL', item(slot))
  sum('items', -1)
  changed()
end
redis.call('HSET', OFF, ARGV[2], offset + 1, 'at', now)
return offset + 1
