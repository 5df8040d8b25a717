-- More evidence of an incident that was filed with pictures. call.parts: name of a part -> path.
-- Answers the ticket number, or nil where the incident was never filed. Done twice it changes
-- nothing more.

local id = redis.call('HGET', key('incidents'), call.incident_id)
if not id then
    return false
end
local evidence = key('ticket', id, 'evidence')
local known = redis.call('HGET', evidence, call.incident_id)
if not known then
    return id
end
local parts, news = cjson.decode(known), false
for name, path in pairs(call.parts) do
    if parts[name] ~= path then
        parts[name], news = path, true
    end
end
if news then
    local text = cjson.encode(parts)
    redis.call('HSET', evidence, call.incident_id, text)
    local message = key('ticket', id, 'message')
    if redis.call('HGET', message, 'incident_id') == '"' .. call.incident_id .. '"' then
        redis.call('HSET', message, 'evidence', text)
    end
end
return id
