-- Takes back what ran out. ARGV: limit, max_deliveries. Answers { slot, visit, actor, was, is } of each.
return reap(tonumber(ARGV[1]), tonumber(ARGV[2]))
