-- A person looked whether what was fed back is done. call.good: it is; the ticket is closed once the
-- camera's check, where the duty asks for one, is done too. Else it goes back to be done again.
-- Answers {'moved' | 'repeated' | 'refused' | 'unknown', state found}.

local id = call.ticket_id
local ticket = key('ticket', id)
local state = redis.call('HGET', ticket, 'state')
if not state then
    return {'unknown', ''}
end
if redis.call('SISMEMBER', key('ticket', id, 'commands'), call.command_id) == 1 then
    return {'repeated', state}
end
if state ~= 'fed_back' then
    return {'refused', state}
end
redis.call('SADD', key('ticket', id, 'commands'), call.command_id)
if call.good then
    redis.call('HSET', ticket, 'verified_at', call.now)
    add_step(id, 'verify', state)
    settle(id)
else
    send_back(id)
end
return {'moved', state}
