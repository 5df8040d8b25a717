-- What became of a try. call.outcome: 'sent', 'again' (at call.next_at) or 'dead'. Answers 0 where
-- the message is no longer this box's: its lease ran out and another took it over.

local name, lane = call.name, call.lane
local message = sending(name, lane)
local facts = redis.call('HMGET', message, 'id', 'by', 'events', 'tries', 'made_at')
if facts[1] ~= call.message_id or facts[2] ~= call.by then
    return 0
end
local recipient = key('recipient', name)
if call.outcome == 'sent' then
    redis.call('HSET', recipient, 'last_sent_at', call.now)
    redis.call('HINCRBY', recipient, 'sent', 1)
    redis.call('HDEL', recipient, 'why', 'why_at')
else
    redis.call('HSET', recipient, 'why', call.why, 'why_at', call.now)
    redis.call('HINCRBY', recipient, 'failures', 1)
end
if call.outcome == 'again' then
    redis.call('HSET', message, 'next_at', call.next_at, 'leased_until', 0)
    due(name, lane, call.next_at)
    return 1
end
redis.call('DEL', message)
if call.outcome == 'dead' then
    local list = key('dead', name)
    -- Not through cjson, which would write numbers of the events anew and round them.
    redis.call('RPUSH', list, '{"id":' .. cjson.encode(facts[1]) .. ',"lane":"' .. lane
        .. '","tries":' .. facts[4] .. ',"made_at":' .. facts[5] .. ',"dead_at":' .. call.now
        .. ',"why":' .. cjson.encode(call.why) .. ',"events":' .. facts[3] .. '}')
    if redis.call('LLEN', list) > tonumber(call.most_dead) then
        redis.call('LPOP', list)
        redis.call('HINCRBY', recipient, 'dropped', 1)
    end
end
if redis.call('LLEN', waiting(name, lane)) > 0 then
    due(name, lane, call.now)
else
    not_due(name, lane)
end
return 1
