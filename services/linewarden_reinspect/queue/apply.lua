-- One record of the topic and its offset, in one step.
-- ARGV: topic id, partition, expected next offset, offset, what (open | close | none), slot, and of an open:
--       visit, line, due_ms, skill, excluded actors (JSON), the open (JSON)
-- Answers the next offset of the partition. Errors: FOREIGN (another topic, or emptied), ROLLED_BACK (the state
-- is older than the caller knows). A record below the stored offset was applied before and changes nothing.
-- The last record of a slot wins, as in a compacted topic.
if redis.call('HGET', OFF, 'topic') ~= ARGV[1] then return { err = 'FOREIGN' } end
local stored = tonumber(redis.call('HGET', OFF, ARGV[2]) or '0')
local offset = tonumber(ARGV[4])
if stored < tonumber(ARGV[3]) then return { err = 'ROLLED_BACK' } end
if stored > offset then return stored end

local what, slot = ARGV[5], ARGV[6]
if what == 'open' then
  local h = item(slot)
  local st = redis.call('HGET', h, 'st')
  redis.call('HSET', h, 'visit', ARGV[7], 'line', ARGV[8], 'due', ARGV[9], 'skill', ARGV[10], 'excl', ARGV[11], 'open', ARGV[12])
  if not st then redis.call('HSET', h, 'st', 'ready', 'home', 'ready', 'deliv', 0, 'skips', 0) end
  if not st or st == 'ready' then redis.call('ZADD', READY, ARGV[9], slot) end
  changed()
elseif what == 'close' then
  if redis.call('EXISTS', item(slot)) == 1 then
    forget(slot)
    changed()
  end
end
redis.call('HSET', OFF, ARGV[2], offset + 1, 'at', now)
return offset + 1
