-- Takes the message of a lane to send it: the one under way, if its time has come and nobody else
-- is at it, or a new one of all that waits. call.sweep: an urgent one takes along what is not.
-- Answers {message, events as a JSON array, tries, when it was made}, or nothing.

local name, lane, now = call.name, call.lane, tonumber(call.now)
local message = sending(name, lane)
if redis.call('EXISTS', message) == 1 then
    local facts = redis.call('HMGET', message, 'leased_until', 'next_at')
    local at = math.max(tonumber(facts[1]), tonumber(facts[2]))
    if at > now then
        due(name, lane, at)
        return false
    end
else
    -- Robots take only so many messages a minute; meanwhile more is gathered.
    local last = tonumber(redis.call('HGET', key('recipient', name), 'last_sent_at') or '-inf')
    if last <= now and last + tonumber(call.pace_s) > now then
        due(name, lane, last + tonumber(call.pace_s))
        return false
    end
    local events = {}
    local function take_from(list)
        local room = tonumber(call.most) - #events
        if room <= 0 then
            return
        end
        for _, event in ipairs(redis.call('LRANGE', list, 0, room - 1)) do
            events[#events + 1] = event
        end
        redis.call('LTRIM', list, room, -1)
    end
    take_from(waiting(name, lane))
    if #events > 0 and lane == 'urgent' and call.sweep == '1' then
        take_from(waiting(name, 'normal'))
        if redis.call('EXISTS', waiting(name, 'normal'), sending(name, 'normal')) == 0 then
            not_due(name, 'normal')
        end
    end
    if #events == 0 then
        not_due(name, lane)
        return false
    end
    redis.call('HSET', message, 'id', call.message_id, 'events',
        '[' .. table.concat(events, ',') .. ']', 'tries', 0, 'made_at', call.now, 'next_at', 0)
end
local tries = redis.call('HINCRBY', message, 'tries', 1)
redis.call('HSET', message, 'leased_until', call.leased_until, 'by', call.by)
due(name, lane, call.leased_until)
local facts = redis.call('HMGET', message, 'id', 'events', 'made_at')
return {facts[1], facts[2], tries, facts[3]}
