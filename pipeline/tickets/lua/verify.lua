-- A person looked whether what was fed back is done. call.good: it is; the ticket is closed once the
-- camera's check, where the duty asks for one, is done too. Else it goes back to be done again.
-- Answers {'done' | 'repeated', ticket}, or why not (see command.lua).

local id = call.ticket_id
if carried_out(id) then
    return {'repeated', id}
end
local no = refusal(id, call.expected, call.after)
if no then
    return no
end
carry_out(id)
if call.good then
    redis.call('HSET', key('ticket', id), 'verified_at', call.now)
    add_step(id, 'verify', redis.call('HGET', key('ticket', id), 'state'))
    settle(id)
else
    send_back(id)
end
return {'done', id}
