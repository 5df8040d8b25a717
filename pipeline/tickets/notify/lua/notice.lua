-- An event of a camera or a box, unless just this was told before. call.subject: whom it is about;
-- call.state: what is said of it, empty once all is well. Answers whether it was told.

local told = key('told')
local before = redis.call('HGET', told, call.subject) or ''
if before == call.state then
    return 0
end
if call.state == '' then
    redis.call('HDEL', told, call.subject)
else
    redis.call('HSET', told, call.subject, call.state)
end
-- One fault that turns into another is told once; that it ends, once.
if before ~= '' and call.state ~= '' then
    return 0
end
local stream = KEYS[1] .. ':events'
if redis.call('EXISTS', stream) == 0 then
    redis.call('XGROUP', 'CREATE', stream, 'notify', '0', 'MKSTREAM')
end
redis.call('XADD', stream, '*', 'v', '1', 'json', call.event)
return 1
