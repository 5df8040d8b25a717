-- One ticket becomes part of another: its incidents, evidence and count go over; its number stays
-- and leads to the other. Answers {'done' | 'repeated', ticket}, or why not (see command.lua).

local id, into = call.ticket_id, call.into
if carried_out(id) then
    return {'repeated', id}
end
local no = refusal(id, call.expected, call.after)
    or refusal(into, call.expected_into, call.takes_in)
if no then
    return no
end

local function hash_of(name)
    local flat, fields = redis.call('HGETALL', name), {}
    for i = 1, #flat, 2 do
        fields[flat[i]] = flat[i + 1]
    end
    return fields
end

local function move_all(part, each)
    local from, to = key('ticket', id, part), key('ticket', into, part)
    for name, text in pairs(hash_of(from)) do
        redis.call('HSET', to, name, text)
        if each then
            each(name)
        end
    end
    redis.call('DEL', from)
end

-- What the other ticket learns by it.
local found = {
    ticket = hash_of(key('ticket', id)),
    message = hash_of(key('ticket', id, 'message')),
    alarms = {},
    around = call.around}
for _, name in ipairs(ALARMS) do
    found.alarms[name] = found.ticket[name .. '_at']
end

carry_out(id)
touch(into) -- the office hears of what carries on before the other is called off
move_all('incidents', function(incident)
    redis.call('HSET', key('incidents'), incident, into)
end)
move_all('evidence')
redis.call('HINCRBY', key('ticket', into), 'count', found.ticket.count)
for source in string.gmatch(found.ticket.sources or found.ticket.source, '[^,]+') do
    add_source(into, source)
end

dequeue(id)
-- What is told of it says how many it was: a message has at least one (docs/schema/ticket-v1.json).
redis.call('HSET', key('ticket', id), 'count', '0', 'handed_over', found.ticket.count,
    'merged_into', into, 'closed_at', call.now)
drop_place(id, call.family)
redis.call('HDEL', key('ticket', id), unpack(FED_BACK))
stop_clocks(id)
set_state(id, 'merged')
add_step(id, 'merge', 'merged')

call.step = call.step_into
raise_severity(into, found)
if call.ground then -- nobody knew where the other one is
    redis.call('HSET', key('ticket', into), 'ground', call.ground)
    write_all(key('ticket', into, 'message'), call.known)
end
take_better_place(into, found)
add_step(into, 'take_in', redis.call('HGET', key('ticket', into), 'state'))
take_graver_hazard(into, found)
return {'done', id}
