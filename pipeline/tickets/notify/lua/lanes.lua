-- Shared by the scripts of notifications. KEYS[1] is the root of all keys; ARGV[1] a JSON object in
-- which every number is text. A recipient has two lanes, urgent and normal; what waits in a lane is
-- a list of events, and at most one message of it is under way.

local call = cjson.decode(ARGV[1])

local function key(...)
    return table.concat({KEYS[1], 'notify', ...}, ':')
end

local function waiting(name, lane)
    return key('waiting', name, lane)
end

local function sending(name, lane)
    return key('sending', name, lane)
end

-- When a lane must be looked at next.
local function due(name, lane, at)
    redis.call('ZADD', key('due'), at, name .. '|' .. lane)
end

local function not_due(name, lane)
    redis.call('ZREM', key('due'), name .. '|' .. lane)
end
