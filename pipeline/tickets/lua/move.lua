-- One step of a ticket. call.after is the column of the transition table for this action: state
-- before -> state after. Answers {'moved' | 'repeated' | 'refused' | 'changed' | 'unknown', state
-- found}; 'changed' wants to be asked again with what is so now.

local id = call.ticket_id
local ticket = key('ticket', id)
local state = redis.call('HGET', ticket, 'state')
if not state then
    return {'unknown', ''}
end
if redis.call('SISMEMBER', key('ticket', id, 'commands'), call.command_id) == 1 then
    return {'repeated', state}
end
local after = call.after[state]
if not after then
    return {'refused', state}
end
-- The new limit was worked out from these two: they must still be so.
local resumed = call.resumed
if resumed then
    local facts = redis.call('HMGET', ticket, 'suspended_at', 'handle_due_at')
    if facts[1] ~= resumed.suspended_at or facts[2] ~= resumed.was_due_at then
        return {'changed', state}
    end
end
redis.call('SADD', key('ticket', id, 'commands'), call.command_id)
dequeue(id)
set_state(id, after)
add_step(id, call.action, after)
redis.call('HDEL', ticket, unpack(FED_BACK))
if after == 'dispatched' then
    redis.call('HSET', ticket, 'dispatched_at', call.now)
    enqueue(id, redis.call('HGET', ticket, 'grid'), after)
elseif after == 'escalated' then
    enqueue(id, call.first_level, after)
elseif after == 'accepted' then
    redis.call('ZREM', key('due', 'accept'), id)
    drop_alarms(id, 'accept')
elseif after == 'suspended' then
    redis.call('HSET', ticket, 'suspended_at', call.now)
    redis.call('ZREM', key('due', 'handle'), id)
    drop_alarms(id, 'handle')
elseif resumed then
    redis.call('HDEL', ticket, 'suspended_at')
    redis.call('HSET', ticket, 'handle_due_at', resumed.handle_due_at)
    redis.call('HSET', key('ticket', id, 'message'), 'handle_due_at', resumed.message)
    redis.call('ZADD', key('due', 'handle'), resumed.handle_due_at, id)
    set_alarms(id, resumed.alarms)
elseif call.done[after] then
    finish(id)
elseif after == 'fed_back' then
    redis.call('HSET', ticket, 'fed_back_at', call.now)
    settle(id)
end
return {'moved', state}
