-- Starts a rebuild: everything goes but the count of changes, events that are not told yet, what lines were asked and
-- who knows what; no claim until the projector has caught up. ARGV: topic id, then partition and first offset in turn.
for _, row in ipairs(redis.call('HKEYS', ROWS)) do
  for _, slot in ipairs(redis.call('ZRANGE', P .. ':open:' .. row, 0, -1)) do redis.call('UNLINK', item(slot)) end
  redis.call('UNLINK', P .. ':open:' .. row, P .. ':in:' .. row)
end
for _, pool in ipairs(redis.call('SMEMBERS', POOLS)) do redis.call('UNLINK', P .. ':ready:' .. pool) end
redis.call('UNLINK', LEASE, DEAD, SKIP, OFF, AGE, LATE, POOLS, CODES, HANDS, TOKENS, ROWS, COUNTS, P .. ':gate')
redis.call('SET', P .. ':mode', 'rebuilding')
redis.call('HSET', OFF, 'topic', ARGV[1], 'at', now)
for i = 2, #ARGV, 2 do redis.call('HSET', OFF, ARGV[i], ARGV[i + 1]) end
changed()
return 1
