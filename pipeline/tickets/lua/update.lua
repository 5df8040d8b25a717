-- Later news of an incident that was filed: seen again, or gone. Older news than what is known
-- changes nothing. What is seen well after its ticket was closed opens it again. Answers the ticket
-- number, or nil where the incident was never filed.

local id = redis.call('HGET', key('incidents'), call.incident_id)
if not id then
    return false, true -- its ticket may be in the archive
end
local incidents = key('ticket', id, 'incidents')
local known = cjson.decode(redis.call('HGET', incidents, call.incident_id))
local was_cleared = known.cleared_at ~= cjson.null
local last_seen_at = tonumber(call.last_seen_at)
if last_seen_at < known.last_seen_at or (was_cleared and not call.cleared) then
    return id
end
redis.call('HSET', incidents, call.incident_id, call.incident)
local facts = redis.call('HMGET', key('ticket', id), 'state', 'closed_at')
local state, closed_at = facts[1], tonumber(facts[2] or nil)
local evidence = redis.call('HGET', key('ticket', id, 'evidence'), call.incident_id)
call.message.evidence = evidence or 'null'
raise_severity(id, call)
if call.cleared then
    if not was_cleared then
        add_step(id, 'see_cleared', state)
        settle(id)
    end
elseif state == 'closed' and last_seen_at > closed_at + tonumber(call.reopen_after_s) then
    reopen(id)
elseif not closed_at then
    -- Opened again by another incident, it is as grave as that one found it.
    take_graver_hazard(id, call)
    still_there(id)
end
return id
