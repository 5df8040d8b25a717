-- Adds a line to the audit, where the newest line still is the one that its hash was made from.
-- Answers {number, hash} of the newest line that is there then; the line was added where that is it.

local head = key('audit', 'head')
local newest = redis.call('HMGET', head, 'number', 'hash')
local number = newest[1] or call.if_none.number
local hash = newest[2] or call.if_none.hash
if number ~= call.after.number or hash ~= call.after.hash then
    return {number, hash}
end
redis.call('XADD', key('audit'), call.number .. '-0', 'json', call.json, 'hash', call.hash)
redis.call('HSET', head, 'number', call.number, 'hash', call.hash)
return {call.number, call.hash}
