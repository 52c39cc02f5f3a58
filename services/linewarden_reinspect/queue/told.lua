-- Drops events that Kafka has. ARGV: their ids. Answers how many were there still.
return redis.call('XDEL', EVENTS, unpack(ARGV))
