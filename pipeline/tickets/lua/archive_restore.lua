-- Puts an archived ticket back as it was, unless it is there. It is done, so nothing waits or rings,
-- and so long ago that nothing at its place is merged with it.

local id = call.ticket_id
local ticket = key('ticket', id)
if redis.call('EXISTS', ticket) == 1 then
    return 0
end
local WRITE = {hash = 'HSET', list = 'RPUSH', set = 'SADD', string = 'SET'}
for _, part in ipairs(call.parts) do
    local name, kind, content = part[1], part[2], part[3]
    local at = name == '' and ticket or key('ticket', id, name)
    for i = 1, #content, 1000 do -- an even number: a hash's names and values stay together
        redis.call(WRITE[kind], at, unpack(content, i, math.min(i + 999, #content)))
    end
end
local facts = redis.call('HMGET', ticket, 'state', 'filed_at')
redis.call('ZADD', key('state', facts[1]), facts[2], id)
list(id)
for _, incident in ipairs(call.incidents) do
    redis.call('HSETNX', key('incidents'), incident, id)
end
return 1
