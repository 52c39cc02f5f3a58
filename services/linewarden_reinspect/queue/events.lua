-- The oldest transitions that are not told yet. ARGV: most. Answers { id, { field, value, ... } } of each.
return redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', ARGV[1])
