-- Starts a rebuild: everything goes but the count of changes; no claim until the projector has caught up.
-- ARGV: topic id, then partition and first offset in turn.
for _, set in ipairs({ READY, LEASE, DEAD }) do
  for _, slot in ipairs(redis.call('ZRANGE', set, 0, -1)) do redis.call('DEL', item(slot)) end
end
redis.call('DEL', READY, LEASE, DEAD, SKIP, OFF, P .. ':gate')
redis.call('SET', P .. ':mode', 'rebuilding')
redis.call('HSET', OFF, 'topic', ARGV[1], 'at', now)
for i = 2, #ARGV, 2 do redis.call('HSET', OFF, ARGV[i], ARGV[i + 1]) end
changed()
return 1
