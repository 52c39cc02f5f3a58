-- Puts a slot back, not to be offered to this actor for a while. ARGV: slot, token, pause_ms, max_skips.
-- Answers `ready` or, once it was skipped too often, `dead`. Error: LEASE_LOST.
local slot = ARGV[1]
local h = held(slot, ARGV[2])
if not h or h.st ~= 'leased' then return LOST end
redis.call('ZADD', SKIP, now + tonumber(ARGV[3]), slot .. '|' .. h.op)
-- By anybody together: what nobody wants to judge is for a lead, whoever skipped it.
local skips = redis.call('HINCRBY', item(slot), 'skips', 1)
if skips >= tonumber(ARGV[4]) then to_dead(slot, 'skipped too often') else home(slot) end
local st = field(slot, 'st')
tell(slot, h.visit, 'skipped', h.op, 'now ' .. st)
changed()
return st
