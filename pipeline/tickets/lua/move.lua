-- One step of a ticket. call.after is the column of the transition table for this action. Answers
-- {'done' | 'repeated', ticket}, or why not (see command.lua).

local id = call.ticket_id
local ticket, message = key('ticket', id), key('ticket', id, 'message')
if carried_out(id) then
    return {'repeated', id}
end
local no = refusal(id, call.expected, call.after)
if no then
    return no
end

-- A person opens it again: the old number and history, new clocks, in the index of places again.
local function start_anew()
    local start = call.reopened
    write_all(ticket, start.ticket)
    write_all(message, start.message)
    redis.call('HDEL', ticket, 'closed_at', 'dispatched_at')
    local place = redis.call('HMGET', ticket, 'lon', 'lat', 'radius_m', 'unplaced')
    if not place[4] then
        keep_place(id, start.family, {lon = place[1], lat = place[2], radius_m = place[3]})
    end
    start_clocks(id, start.alarms)
    list(id)
end

local after = call.after[redis.call('HGET', ticket, 'state')]
carry_out(id)
dequeue(id)
if call.reopened then
    start_anew()
    set_state(id, after)
    add_step(id, call.action, after)
    call.action, after = 'dispatch', 'dispatched'
elseif after == 'accepted' then
    redis.call('ZREM', key('due', 'accept'), id)
    drop_alarms(id, 'accept')
elseif after == 'suspended' then
    redis.call('HSET', ticket, 'suspended_at', call.now)
    redis.call('ZREM', key('due', 'handle'), id)
    drop_alarms(id, 'handle')
elseif call.resumed then
    local resumed = call.resumed
    redis.call('HDEL', ticket, 'suspended_at')
    redis.call('HSET', ticket, 'handle_due_at', resumed.handle_due_at)
    redis.call('HSET', message, 'handle_due_at', resumed.message)
    redis.call('ZADD', key('due', 'handle'), resumed.handle_due_at, id)
    set_alarms(id, resumed.alarms)
elseif call.done[after] then
    finish(id)
end
redis.call('HDEL', ticket, unpack(FED_BACK))
set_state(id, after)
if after == 'dispatched' then
    redis.call('HSET', ticket, 'dispatched_at', call.now)
end
add_step(id, call.action, after)
if after == 'fed_back' then
    redis.call('HSET', ticket, 'fed_back_at', call.now)
    settle(id)
end
wait(id, after)
return {'done', id}
