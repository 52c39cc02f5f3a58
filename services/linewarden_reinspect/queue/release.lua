-- Puts a slot back where it was, as if it had never been taken. ARGV: slot, token. Error: LEASE_LOST.
local h = held(ARGV[1], ARGV[2])
if not h or h.st ~= 'leased' then return LOST end
home(ARGV[1])
tell(ARGV[1], h.visit, 'released', h.op, '')
changed()
return 1
