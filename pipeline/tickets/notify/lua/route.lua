-- Hands one event to its recipients, and takes it out of the group's pending entries in the same
-- step: whoever crashes before has done nothing, whoever comes after does nothing twice.
-- call.to: list of {name, lane, when the lane is due}.

if redis.call('XACK', KEYS[1] .. ':events', 'notify', call.entry) == 0 then
    return 0
end
for _, one in ipairs(call.to) do
    local name, lane, at = one[1], one[2], one[3]
    local list = waiting(name, lane)
    if redis.call('RPUSH', list, call.event) > tonumber(call.most_waiting) then
        redis.call('LPOP', list)
        redis.call('HINCRBY', key('recipient', name), 'dropped', 1)
    end
    if redis.call('EXISTS', sending(name, lane)) == 0 then
        local before = redis.call('ZSCORE', key('due'), name .. '|' .. lane)
        if not before or tonumber(before) > tonumber(at) then
            due(name, lane, at)
        end
    end
end
return 1
