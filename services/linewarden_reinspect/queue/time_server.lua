-- The only clock of the queue: the server's. A client's clock never decides about a lease.
local function read_clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
