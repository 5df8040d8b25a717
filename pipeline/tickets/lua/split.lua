-- Some incidents of a ticket become a new one, as if they had been filed now; call.ticket and the
-- like say what it is, call.rest what the old one is without them. Answers
-- {'done' | 'repeated', ticket, new ticket}, or why not (see command.lua).

local id = call.ticket_id
local ticket = key('ticket', id)
local answer = 'split:' .. call.command_id
if carried_out(id) then
    return {'repeated', id, redis.call('HGET', ticket, answer) or ''}
end
local no = refusal(id, call.expected, call.after)
if no then
    return no
end

-- Fields of a ticket that go by what it holds.
local OF_FINDINGS = {
    'source', 'hazard', 'verify', 'rank', 'duty', 'severity', 'lon', 'lat', 'radius_m', 'method'}

local function message_evidence(of, incident)
    return redis.call('HGET', key('ticket', of, 'evidence'), incident) or 'null'
end

local function move_incident(new, incident)
    for _, part in ipairs({'incidents', 'evidence'}) do
        local text = redis.call('HGET', key('ticket', id, part), incident)
        if text then
            redis.call('HSET', key('ticket', new, part), incident, text)
            redis.call('HDEL', key('ticket', id, part), incident)
        end
    end
    redis.call('HSET', key('incidents'), incident, new)
    redis.call('HINCRBY', key('ticket', new), 'count', 1)
    redis.call('HINCRBY', ticket, 'count', -1)
end

-- The old ticket keeps its owner and its limits: nobody was told of longer ones.
local function forget_the_rest()
    local rest, message = call.rest, key('ticket', id, 'message')
    rest.message.evidence = message_evidence(id, rest.lead)
    for _, field in ipairs(OF_FINDINGS) do
        redis.call('HSET', ticket, field, rest.ticket[field])
    end
    redis.call('HSET', ticket, 'sources', rest.sources)
    for _, field in ipairs(FINDING) do
        redis.call('HSET', message, field, rest.message[field])
    end
    redis.call('HSET', message, 'severity', rest.message.severity, 'place', rest.message.place)
    mark_place(id, rest.ticket, rest.unplaced)
    set_watchers(id, rest.around)
end

local new = next_number()
carry_out(id)
touch(new) -- the office hears of it before the old one may be called off
redis.call('HSET', ticket, answer, new)
for _, incident in ipairs(call.incidents) do
    move_incident(new, incident)
end
forget_the_rest()
local step_of_new = call.step_of_new
call.step = headed('"facts":{"incidents":' .. call.facts .. ',"into":"' .. new .. '"}', call.step)
add_step(id, 'split', redis.call('HGET', ticket, 'state'))
replace_entry(id)
call.step = step_of_new
call.message.evidence = message_evidence(new, call.lead)
redis.call('HSET', key('ticket', new), 'sources', call.sources)
open_case(new, 'file')
return {'done', id, new}
