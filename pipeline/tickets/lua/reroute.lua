-- Another grid becomes the owner: by a person, or because a new grid map (call.map) says so. Clocks
-- go on. Answers {'done' | 'repeated' | 'kept', ticket}, or why not (see command.lua); 'kept': by
-- the new map the owner stays.

local id = call.ticket_id
local ticket, message = key('ticket', id), key('ticket', id, 'message')
if carried_out(id) then
    return {'repeated', id}
end
local facts = redis.call('HMGET', ticket, 'grid', 'state', 'filed_at', 'map')
local grid, state, old_map = facts[1], facts[2], facts[4] or 'unknown'
local no = refusal(id, call.expected, call.after)
if no then
    if call.map and no[1] == 'refused' then
        redis.call('ZREM', key('map', old_map), id) -- it was done meanwhile
    end
    return no
end
local same = grid == call.grid
if same and not call.map then
    return {'same', id, state, grid}
end

carry_out(id)
redis.call('HSET', ticket, 'ground', call.ground)
write_all(message, call.message)
if call.map then
    redis.call('ZREM', key('map', old_map), id)
    redis.call('HSET', ticket, 'map', call.map)
    keep_map(id)
end
if not same then
    redis.call('ZREM', key('grid', grid), id)
    redis.call('HSET', ticket, 'grid', call.grid)
    redis.call('ZADD', key('grid', call.grid), facts[3], id)
    if call.map then
        redis.call('HDEL', ticket, 'by_hand')
    else
        redis.call('HSET', ticket, 'by_hand', '1')
    end
end
set_watchers(id, call.around)
if same then
    return {'kept', id}
end

local after = call.after[state]
dequeue(id)
set_state(id, after)
if after == 'dispatched' then
    redis.call('HSET', ticket, 'dispatched_at', call.now)
end
add_step(id, 'reroute', after)
wait(id, after)
return {'done', id}
