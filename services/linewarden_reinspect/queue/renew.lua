-- Lengthens a lease. ARGV: slot, token, ttl_ms, max_hold_ms. Answers { until, state, parked decision or '', open }.
-- A parked slot is told, not lengthened. Error: LEASE_LOST.
local slot = ARGV[1]
local h = held(slot, ARGV[2])
if not h then return LOST end
local till = tonumber(redis.call('ZSCORE', LEASE, slot))
if h.st == 'leased' then
  -- Never shorter than it is: at the longest hold a renewal changes nothing, and takes nothing away.
  till = math.max(till, math.min(now + tonumber(ARGV[3]), h.since + tonumber(ARGV[4])))
  redis.call('ZADD', LEASE, till, slot)
end
return { till, h.st, h.did or '', redis.call('HGET', item(slot), 'open') }
