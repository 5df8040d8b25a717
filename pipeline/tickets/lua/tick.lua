-- Takes out the alarms that have come due and does what they are for. call.steps has the step of
-- each, call.waiting and call.escalates the states in which a ticket waits to be accepted, and can go
-- up. Answers a list of {ticket number, alarm, '1' if it went up}.

local rang = {}
local due = redis.call(
    'ZRANGEBYSCORE', key('alarms'), '-inf', call.now, 'LIMIT', 0, call.most)
for _, member in ipairs(due) do
    redis.call('ZREM', key('alarms'), member)
    local name, id = string.match(member, '^([^|]+)|(.+)$')
    local state = redis.call('HGET', key('ticket', id), 'state')
    local still = state and not call.done[state] and state ~= 'suspended'
    if still and (string.sub(name, 1, 6) ~= 'accept' or call.waiting[state]) then
        call.step = call.steps[name]
        local up = false
        if string.sub(name, -2) == '80' then
            add_step(id, 'remind', state)
        else
            add_step(id, 'overdue', state)
            up = call.escalates[state]
            if up then
                dequeue(id)
                set_state(id, up)
                add_step(id, 'escalate', up)
                enqueue(id, call.first_level, up)
            end
        end
        rang[#rang + 1] = {id, name, up and '1' or ''}
    end
end
return {#due, rang}
