-- Starts a rebuild: everything goes but the count of changes, events that are not told yet, what lines were asked and
-- who knows what; no claim until the projector has caught up. ARGV: topic id, then partition and first offset in turn.
-- What goes is found by its name alone, so that nothing stays behind whatever was lost before.
local KEPT = { rev = 'string', untold = 'string', events = 'stream', asked = 'hash' }

local function is_kept(key)
  local name = string.sub(key, #P + 2)
  local kind = KEPT[name] or (string.sub(name, 1, 6) == 'knows:' and 'set') or nil
  return kind and redis.call('TYPE', key)['ok'] == kind
end

local pattern, cursor = string.gsub(P, '[%[%]%*%?%^\\]', '\\%0') .. ':*', '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    -- Freed in the background: deleting a hundred thousand keys at once would hold up the server.
    if not is_kept(key) then redis.call('UNLINK', key) end
  end
until cursor == '0'
-- What is kept must not expire either, or the check after the rebuild would find the same damage again.
for name in pairs(KEPT) do redis.call('PERSIST', P .. ':' .. name) end
redis.call('SET', P .. ':mode', 'rebuilding')
redis.call('HSET', OFF, 'topic', ARGV[1], 'at', now)
for i = 2, #ARGV, 2 do redis.call('HSET', OFF, ARGV[i], ARGV[i + 1]) end
changed()
return 1
