-- Holds the evidence of a ticket (call.held: who, when and why) or lets it go again. A ticket that
-- has left Redis for the archive has no history here. Answers 1 where this changed something.

local id = call.ticket_id
local held = key('evidence', 'held')
local changed
if call.held then
    changed = redis.call('HSETNX', held, id, call.held)
else
    changed = redis.call('HDEL', held, id)
end
local state = redis.call('HGET', key('ticket', id), 'state')
if changed == 1 and state then
    add_step(id, call.action, state)
end
return changed
