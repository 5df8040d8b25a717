-- Later news of an incident that was filed: seen again, or gone. Older news than what is known
-- changes nothing. Answers the ticket number, or nil where the incident was never filed.

local id = redis.call('HGET', key('incidents'), call.incident_id)
if not id then
    return false
end
local incidents = key('ticket', id, 'incidents')
local known = cjson.decode(redis.call('HGET', incidents, call.incident_id))
local was_cleared = known.cleared_at ~= cjson.null
local last_seen_at = tonumber(call.last_seen_at)
if last_seen_at < known.last_seen_at or (was_cleared and not call.cleared) then
    return id
end
redis.call('HSET', incidents, call.incident_id, call.incident)
raise_severity(id, call.severity)
if call.cleared and not was_cleared then
    add_step(id, 'see_cleared', redis.call('HGET', key('ticket', id), 'state'))
end
return id
