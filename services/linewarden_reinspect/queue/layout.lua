-- Key layout and common steps of every script. P = KEYS[1] is the prefix with its hash tag, e.g. `{line1.rq}`:
-- all keys of a queue lie in one slot of a cluster, and each script is one atomic step.
--
--   P:ready     ZSET    slot -> due_ms            waits for a person, earliest due first
--   P:lease     ZSET    slot -> until_ms          held by a person, or parked after a decision
--   P:dead      ZSET    slot -> since_ms          skipped or let go too often; waits for a lead, never dropped
--   P:i:<slot>  HASH    visit, line, due, skill   from the topic; a re-sent open overwrites them
--                       open, excl                the open as JSON; JSON list of actors who may not take it
--                       st                        ready | leased | parked | dead
--                       home                      ready | dead: where a release puts it back
--                       op, tok, since, did       holder, fencing token, start of the lease, parked decision
--                       deliv, skips              leases that ran out; skips by anybody
--   P:skip      ZSET    <slot>|<actor> -> until   not offered to that actor before then
--   P:off       HASH    topic                     identity of the topic that this is a view of
--                       at                        server's time of the last change or confirmation
--                       <partition>               offset of the next record to apply
--   P:mode      STRING  rebuilding | live
--   P:gate      STRING  exists (with a short TTL) while the projector is caught up; no claim without it
--   P:rev       STRING  counts changes, so that a watcher need not compare
--
-- Invariants: a slot is in exactly one of ready, lease and dead; its hash exists exactly then; a wrong or late
-- token changes nothing; offsets change in the same script as the state they describe.
local P = KEYS[1]
local READY, LEASE, DEAD, SKIP, OFF = P .. ':ready', P .. ':lease', P .. ':dead', P .. ':skip', P .. ':off'
local now = read_clock()

local function item(slot)
  return P .. ':i:' .. slot
end

local function changed()
  redis.call('INCR', P .. ':rev')
end

local function put_down(slot)
  redis.call('ZREM', LEASE, slot)
  redis.call('HDEL', item(slot), 'op', 'tok', 'since', 'did')
end

local function to_ready(slot)
  put_down(slot)
  redis.call('ZADD', READY, redis.call('HGET', item(slot), 'due'), slot)
  redis.call('HSET', item(slot), 'st', 'ready', 'home', 'ready')
end

local function to_dead(slot)
  put_down(slot)
  redis.call('ZADD', DEAD, now, slot)
  redis.call('HSET', item(slot), 'st', 'dead', 'home', 'dead')
end

local function home(slot)
  if redis.call('HGET', item(slot), 'home') == 'dead' then to_dead(slot) else to_ready(slot) end
end

local function forget(slot)
  redis.call('ZREM', READY, slot)
  redis.call('ZREM', LEASE, slot)
  redis.call('ZREM', DEAD, slot)
  redis.call('DEL', item(slot))
end

-- Leases that ran out go back, counted; parks that no close answered go back, not counted.
local function reap(limit, max_deliveries)
  local ended = {}
  for _, slot in ipairs(redis.call('ZRANGEBYSCORE', LEASE, '-inf', now, 'LIMIT', 0, limit)) do
    local h = redis.call('HMGET', item(slot), 'st', 'op', 'visit')
    local deliveries = 0
    if h[1] == 'leased' then deliveries = redis.call('HINCRBY', item(slot), 'deliv', 1) end
    if deliveries >= max_deliveries then to_dead(slot) else home(slot) end
    ended[#ended + 1] = { slot, h[3], h[2], h[1], redis.call('HGET', item(slot), 'st') }
  end
  redis.call('ZREMRANGEBYSCORE', SKIP, '-inf', now)
  if #ended > 0 then changed() end
  return ended
end

-- Fencing: the holder's state if this token holds the slot now, else nil.
local function held(slot, token)
  local h = redis.call('HMGET', item(slot), 'st', 'tok', 'since', 'did', 'op')
  if h[2] ~= token or (h[1] ~= 'leased' and h[1] ~= 'parked') then return nil end
  if tonumber(redis.call('ZSCORE', LEASE, slot)) <= now then return nil end
  return { st = h[1], since = tonumber(h[3]), did = h[4], op = h[5] }
end

local LOST = { err = 'LEASE_LOST' }
