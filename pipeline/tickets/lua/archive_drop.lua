-- Takes tickets out that the archive has, where they still are what it has. Answers for each
-- 'dropped', 'changed' or 'gone', or 'away' where another archive is the town's by now.

local answers, any = {}, false
local home = redis.call('GET', key('archive', 'home')) == call.home
for i, one in ipairs(call.tickets) do
    local id = one.id
    local text = home and snapshot(id)
    if not home then
        answers[i] = 'away'
    elseif not text then
        answers[i] = 'gone'
    elseif redis.sha1hex(text) ~= one.digest then
        answers[i] = 'changed'
    else
        local ticket = key('ticket', id)
        dequeue(id)
        stop_clocks(id)
        unlist(id)
        redis.call('ZREM', key('state', redis.call('HGET', ticket, 'state')), id)
        drop_place(id, one.family)
        for _, incident in ipairs(redis.call('HKEYS', key('ticket', id, 'incidents'))) do
            -- One that was merged into another ticket is live there.
            if redis.call('HGET', key('incidents'), incident) == id then
                redis.call('HDEL', key('incidents'), incident)
            end
        end
        redis.call('DEL', ticket)
        for _, part in ipairs(call.parts) do
            redis.call('DEL', key('ticket', id, part))
        end
        answers[i], any = 'dropped', true
    end
end
if any then
    redis.call('INCR', key('archive', 'generation'))
end
return answers
