-- Key layout and common steps of every script. P = KEYS[1] is the prefix with its hash tag, e.g. `{line1.rq}`:
-- all keys of a queue lie in one slot of a cluster, and each script is one atomic step.
--
--   P:i:<slot>      HASH    visit, line, due, opened     from the topic; a re-sent open overwrites them
--                           cause                        the first of its causes
--                           skill, needs                 operator | lead; what a person must have learnt, or ''
--                           excl, open                   JSON list of actors who may not take it; the open as JSON
--                           part, bin                    what may be scanned for it, or ''
--                           pool, row                    <line>|<skill>|<needs> and <line>|<recipe>
--                           st                           ready | leased | parked | dead
--                           home, why                    ready | dead: where a release puts it back; why it is dead
--                           op, tok, since, did          holder, fencing token, start of the lease, parked decision
--                           deliv, skips, late           leases that ran out; skips by anybody; 1 once it is overdue
--   P:ready:<pool>  ZSET    slot -> due_ms               waits for a person, earliest due first
--   P:pools         SET     pools in which something waits
--   P:lease         ZSET    slot -> until_ms             held by a person, or parked after a decision
--   P:dead          ZSET    slot -> since_ms             skipped or let go too often; waits for a lead, never dropped
--   P:age           ZSET    slot -> opened + max age     not overdue yet
--   P:late          ZSET    slot -> opened_ms            overdue: offered to leads first, wherever it lies
--   P:skip          ZSET    <slot>|<actor> -> until      not offered to that actor before then
--   P:codes         HASH    part or bin place -> slots   what a scanner reads, and the slots that it names
--   P:hands         HASH    actor -> slots               what a person holds or has decided, until its close
--   P:tokens        HASH    token -> slot                the same by token
--   P:open:<row>    ZSET    slot -> opened_ms            every slot of a line and recipe, in whatever state
--   P:in:<row>      HASH    minute -> slots              opened in that minute, for the last hour
--   P:rows          HASH    row -> JSON                  capacity an hour and maximum age, from the newest open
--   P:asked         HASH    row -> <ask> <slot> <visit>  what the line was last asked for: slow | stop
--   P:n             HASH    <line>|<state> -> count      states, and `overdue`
--   P:events        STREAM  slot, visit, event, actor, at, cause: every transition, until Kafka has it
--   P:untold        STRING  counts events for which the stream had no room
--   P:off           HASH    topic                        identity of the topic that this is a view of
--                           at                           server's time of the last change or confirmation
--                           <partition>                  offset of the next record to apply
--   P:sums          HASH    items, aged, codes, rows     how many there are: of slots, of those in age or late, in codes
--                           in|<row>                     and rows; and all that P:in:<row> counts
--   P:knows:<visit> SET     actors who were told what the machine thinks of it; goes a month after the last was
--   P:mode          STRING  rebuilding | live
--   P:gate          STRING  exists (with a short TTL) while the projector is caught up; no claim without it
--   P:rev           STRING  counts changes, so that a watcher need not compare
--
-- Invariants: a slot is in exactly one of its pool, lease and dead; its hash exists exactly then; a wrong or late
-- token changes nothing; offsets change in the same script as the state they describe, and so do events. What a key
-- that is lost would leave behind contradicts another key: `check.lua` finds it, and the view is built anew.
local P = KEYS[1]
local LEASE, DEAD, SKIP, OFF = P .. ':lease', P .. ':dead', P .. ':skip', P .. ':off'
local AGE, LATE, POOLS = P .. ':age', P .. ':late', P .. ':pools'
local CODES, HANDS, TOKENS = P .. ':codes', P .. ':hands', P .. ':tokens'
local ROWS, ASKED, COUNTS, EVENTS = P .. ':rows', P .. ':asked', P .. ':n', P .. ':events'
local SUMS = P .. ':sums'
local MOST_EVENTS, HOUR, MINUTE = 100000, 3600000, 60000
-- Read once: all of a script happens at one moment, and a lease cannot run out within it.
local now = read_clock()

local function item(slot)
  return P .. ':i:' .. slot
end

local function field(slot, name)
  return redis.call('HGET', item(slot), name)
end

local function changed()
  redis.call('INCR', P .. ':rev')
end

local function is_live()
  return redis.call('GET', P .. ':mode') == 'live' and redis.call('EXISTS', P .. ':gate') == 1
end

-- Every transition becomes an event in the step that makes it.
local function tell(slot, visit, event, actor, cause)
  -- Counted instead: events that Kafka does not take must not fill the memory that leases need.
  if redis.call('XLEN', EVENTS) >= MOST_EVENTS then
    redis.call('INCR', P .. ':untold')
    return
  end
  redis.call('XADD', EVENTS, '*', 'slot', slot, 'visit', visit, 'event', event, 'actor', actor, 'at', now, 'cause', cause)
end

local function sum(name, by)
  if by ~= 0 then redis.call('HINCRBY', SUMS, name, by) end
end

local function count(line, state, by)
  redis.call('HINCRBY', COUNTS, line .. '|' .. state, by)
end

local function set_state(slot, state)
  local h = redis.call('HMGET', item(slot), 'line', 'st')
  count(h[1], h[2], -1)
  count(h[1], state, 1)
  redis.call('HSET', item(slot), 'st', state)
end

local function enter_pool(slot)
  local h = redis.call('HMGET', item(slot), 'pool', 'due')
  redis.call('ZADD', P .. ':ready:' .. h[1], h[2], slot)
  redis.call('SADD', POOLS, h[1])
end

local function leave_pool(slot)
  local pool = field(slot, 'pool')
  redis.call('ZREM', P .. ':ready:' .. pool, slot)
  -- Redis drops an empty set by itself; the pool's name in the list of pools it cannot know of.
  if redis.call('EXISTS', P .. ':ready:' .. pool) == 0 then redis.call('SREM', POOLS, pool) end
end

-- The slots that lie under a key of a hash, in order.
local function slots_under(hash, key)
  local slots = {}
  for slot in string.gmatch(redis.call('HGET', hash, key) or '', '%S+') do slots[#slots + 1] = slot end
  return slots
end

local function set_under(hash, key, slot, is_there)
  if key == '' then return end
  local slots = {}
  for _, other in ipairs(slots_under(hash, key)) do
    if other ~= slot then slots[#slots + 1] = other end
  end
  if is_there then slots[#slots + 1] = slot end
  -- In order, so that equal states are equal bytes, whoever came first.
  table.sort(slots)
  local more
  if #slots == 0 then more = -redis.call('HDEL', hash, key) else more = redis.call('HSET', hash, key, table.concat(slots, ' ')) end
  if hash == CODES then sum('codes', more) end
end

local function pick_up(slot, actor, token, till)
  redis.call('ZREM', DEAD, slot)
  redis.call('ZADD', LEASE, till, slot)
  redis.call('HSET', item(slot), 'op', actor, 'tok', token, 'since', now)
  set_under(HANDS, actor, slot, true)
  redis.call('HSET', TOKENS, token, slot)
end

local function put_down(slot)
  -- Nobody's: neither holder nor token has anything to be taken off.
  if redis.call('ZREM', LEASE, slot) == 0 then return end
  local h = redis.call('HMGET', item(slot), 'op', 'tok')
  set_under(HANDS, h[1], slot, false)
  redis.call('HDEL', TOKENS, h[2])
  redis.call('HDEL', item(slot), 'op', 'tok', 'since', 'did')
end

local function to_ready(slot)
  put_down(slot)
  set_state(slot, 'ready')
  redis.call('HSET', item(slot), 'home', 'ready')
  enter_pool(slot)
end

local function to_dead(slot, why)
  put_down(slot)
  set_state(slot, 'dead')
  redis.call('HSET', item(slot), 'home', 'dead', 'why', why)
  redis.call('ZADD', DEAD, now, slot)
end

local function home(slot)
  if field(slot, 'home') == 'dead' then to_dead(slot, field(slot, 'why')) else to_ready(slot) end
end

-- Where a slot can be found besides by its id, and how it is counted.
local function index(slot, max_age)
  local h = redis.call('HMGET', item(slot), 'line', 'st', 'row', 'opened', 'part', 'bin', 'late')
  count(h[1], h[2], 1)
  redis.call('ZADD', P .. ':open:' .. h[3], h[4], slot)
  set_under(CODES, h[5], slot, true)
  set_under(CODES, h[6], slot, true)
  if h[7] then
    count(h[1], 'overdue', 1)
    sum('aged', redis.call('ZADD', LATE, h[4], slot))
  elseif max_age ~= '' then
    sum('aged', redis.call('ZADD', AGE, tonumber(h[4]) + tonumber(max_age), slot))
  end
  if h[2] == 'ready' then enter_pool(slot) end
end

local function unindex(slot)
  local h = redis.call('HMGET', item(slot), 'line', 'st', 'row', 'part', 'bin', 'late')
  count(h[1], h[2], -1)
  if h[6] then count(h[1], 'overdue', -1) end
  redis.call('ZREM', P .. ':open:' .. h[3], slot)
  sum('aged', -redis.call('ZREM', AGE, slot) - redis.call('ZREM', LATE, slot))
  set_under(CODES, h[4], slot, false)
  set_under(CODES, h[5], slot, false)
  leave_pool(slot)
end

-- Leases that ran out go back, counted; parks that no close answered go back, not counted.
local function end_lease(slot, max_deliveries)
  local h = redis.call('HMGET', item(slot), 'st', 'op', 'visit')
  local deliveries = 0
  -- A park says nothing of the slot: somebody decided, and only the close was slow.
  if h[1] == 'leased' then deliveries = redis.call('HINCRBY', item(slot), 'deliv', 1) end
  if deliveries >= max_deliveries then to_dead(slot, 'let go too often') else home(slot) end
  local st = field(slot, 'st')
  tell(slot, h[3], h[1] .. '-expired', h[2], 'now ' .. st)
  return { slot, h[3], h[2], h[1], st }
end

local function reap(limit, max_deliveries)
  local ended = {}
  for _, slot in ipairs(redis.call('ZRANGEBYSCORE', LEASE, '-inf', now, 'LIMIT', 0, limit)) do
    ended[#ended + 1] = end_lease(slot, max_deliveries)
  end
  -- With every reap, or skips of slots that are closed would stay for ever.
  redis.call('ZREMRANGEBYSCORE', SKIP, '-inf', now)
  if #ended > 0 then changed() end
  return ended
end

-- What a line and recipe ask for now: { ask or '', waiting, oldest slot, opened_ms of it, opened in the last hour,
-- capacity an hour or 0, maximum age or 0 }.
local function demand(row)
  local rules = cjson.decode(redis.call('HGET', ROWS, row))
  local waiting = redis.call('ZCARD', P .. ':open:' .. row)
  local first = redis.call('ZRANGE', P .. ':open:' .. row, 0, 0, 'WITHSCORES')
  local opened = 0
  local minutes = redis.call('HGETALL', P .. ':in:' .. row)
  for i = 1, #minutes, 2 do
    if (tonumber(minutes[i]) + 60) * MINUTE > now then opened = opened + tonumber(minutes[i + 1]) end
  end
  local ask, oldest = '', tonumber(first[2] or now)
  -- Above the rate now, or so many waiting that the last would be too old when its turn came.
  local over = rules.capacity > 0 and (opened > rules.capacity or waiting * HOUR > rules.capacity * rules.age)
  if waiting > 0 and over then ask = 'slow' end
  -- Stop overrules slow: a part is too old already, and a slower line makes it no younger.
  if waiting > 0 and rules.age > 0 and now - oldest > rules.age then ask = 'stop' end
  return { ask, waiting, first[1] or '', oldest, opened, rules.capacity, rules.age }
end

-- Fencing: the holder's state if this token holds the slot now, else nil.
local function held(slot, token)
  local h = redis.call('HMGET', item(slot), 'st', 'tok', 'since', 'did', 'op', 'visit')
  if h[2] ~= token or (h[1] ~= 'leased' and h[1] ~= 'parked') then return nil end
  -- Over at its end, also where nobody has reaped it yet: else two could hold it for one moment.
  if tonumber(redis.call('ZSCORE', LEASE, slot)) <= now then return nil end
  return { st = h[1], since = tonumber(h[3]), did = h[4], op = h[5], visit = h[6] }
end

local LOST = { err = 'LEASE_LOST' }
