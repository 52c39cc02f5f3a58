-- Confirms that the view is whole and current: opens the gate for claims, for gate_ms.
-- ARGV: topic id, gate_ms, then partition and expected next offset in turn.
-- Errors: FOREIGN, ROLLED_BACK; both leave the gate as it is.
if redis.call('HGET', OFF, 'topic') ~= ARGV[1] then return { err = 'FOREIGN' } end
for i = 3, #ARGV, 2 do
  if tonumber(redis.call('HGET', OFF, ARGV[i]) or '0') < tonumber(ARGV[i + 1]) then return { err = 'ROLLED_BACK' } end
end
-- Counted as a change only where something changes, or every watcher would look at every beat.
if redis.call('GET', P .. ':mode') ~= 'live' or redis.call('EXISTS', P .. ':gate') == 0 then changed() end
redis.call('SET', P .. ':mode', 'live')
-- It expires by itself, so that a projector that died or hangs closes the queue without doing anything.
redis.call('SET', P .. ':gate', '1', 'PX', ARGV[2])
redis.call('HSET', OFF, 'at', now)
return 1
