-- Where the view stands: { server's time, mode, field, value, ... } of the offsets' hash.
local answer = { now, redis.call('GET', P .. ':mode') or '' }
for _, word in ipairs(redis.call('HGETALL', OFF)) do answer[#answer + 1] = word end
return answer
