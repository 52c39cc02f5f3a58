-- After its decision lies in the log: nobody is offered the slot until its close arrives or ttl_ms is over.
-- ARGV: slot, token, decision id, ttl_ms. The same decision again is the same. Error: LEASE_LOST.
local slot = ARGV[1]
local h = held(slot, ARGV[2])
if not h then return LOST end
if h.st == 'parked' then
  if h.did == ARGV[3] then return 1 end
  return LOST
end
set_state(slot, 'parked')
redis.call('HSET', item(slot), 'did', ARGV[3])
-- With an end: where no close comes the decision did not count, and the slot is offered again.
redis.call('ZADD', LEASE, now + tonumber(ARGV[4]), slot)
tell(slot, h.visit, 'decided', h.op, ARGV[3])
changed()
return 1
