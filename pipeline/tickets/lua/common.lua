-- Shared by all scripts of the desk. KEYS[1] is the root of all keys, "{prefix}"; every other key
-- is made from it, so all of them live in one slot of a cluster. ARGV[1] is a JSON object in which
-- every number is text: Redis stores it as Python wrote it, and nothing is rounded on the way.

local root = KEYS[1]
local call = cjson.decode(ARGV[1])

local function key(...)
    return table.concat({root, ...}, ':')
end

-- Both stand in events.lua: every step and every entry of a queue tells whom it may concern, in the
-- same atomic script.
local tell_step, tell_entry

-- body is a JSON object written by Python; head is put in front of its first field.
local function headed(head, body)
    return '{' .. head .. ',' .. string.sub(body, 2)
end

-- The limit that runs: for accepting, else for handling; none once it is done or while it stands.
local function running_limit(id, accept_due_at, handle_due_at)
    if redis.call('ZSCORE', key('due', 'accept'), id) then
        return accept_due_at
    end
    return redis.call('ZSCORE', key('due', 'handle'), id) and handle_due_at or 'null'
end

-- Whatever somebody may base a decision on raises the version.
local function raise_version(id)
    return redis.call('HINCRBY', key('ticket', id), 'version', 1)
end

-- To be taken when the rest of the change is made, but before the ticket enters a queue.
local function add_step(id, action, state)
    local facts = redis.call('HMGET', key('ticket', id), 'grid', 'accept_due_at', 'handle_due_at')
    local head = string.format(
        '"action":"%s","state":"%s","version":%d,"due_at":%s',
        action, state, raise_version(id), running_limit(id, facts[2], facts[3]))
    local steps = redis.call('RPUSH', key('ticket', id, 'steps'), headed(head, call.step))
    -- Whoever follows hears of it; that nobody may listen here is no reason to refuse a step.
    redis.pcall('PUBLISH', key('changes'), table.concat({id, facts[1] or '', steps}, '|'))
    tell_step(id, action, state)
end

local function set_state(id, state)
    local ticket = key('ticket', id)
    local before = redis.call('HMGET', ticket, 'state', 'filed_at')
    if before[1] then
        redis.call('ZREM', key('state', before[1]), id)
    end
    redis.call('HSET', ticket, 'state', state)
    redis.call('ZADD', key('state', state), before[2], id)
end

-- The message of a ticket is kept by its fields, each as JSON text, so that what turns out to be
-- otherwise can be replaced; it is put together when it enters a queue.
local function message_of(id, state)
    local fields = redis.call('HGETALL', key('ticket', id, 'message'))
    local texts = {}
    for i = 1, #fields, 2 do
        texts[#texts + 1] = '"' .. fields[i] .. '":' .. fields[i + 1]
    end
    table.sort(texts)
    local facts = redis.call(
        'HMGET', key('ticket', id), 'count', 'version', 'sources', 'source', 'handed_over')
    local sources = string.gsub(facts[3] or facts[4], ',', '","')
    local head = '"ticket_id":"' .. id .. '","state":"' .. state .. '","count":' .. (facts[5] or facts[1])
        .. ',"version":' .. (facts[2] or '0') .. ',"sources":["' .. sources .. '"]'
    return '{' .. head .. ',' .. table.concat(texts, ',') .. '}'
end

-- Puts the ticket into a grid's queue. A consumer group is there before the first entry.
local function enqueue(id, grid, state)
    local ticket, queue = key('ticket', id), key('queue', grid)
    if redis.call('EXISTS', queue) == 0 then
        redis.call('XGROUP', 'CREATE', queue, 'grid', '0', 'MKSTREAM')
    end
    local message = message_of(id, state)
    local entry = redis.call('XADD', queue, '*', 'v', '1', 'json', message)
    redis.call('HSET', ticket, 'queue', grid, 'entry', entry)
    redis.call('HINCRBY', key('waiting'), grid, 1)
    tell_entry(grid, message)
end

-- Takes it out again, whether or not a consumer has read it.
local function dequeue(id)
    local ticket = key('ticket', id)
    local at = redis.call('HMGET', ticket, 'queue', 'entry')
    if not at[2] then
        return
    end
    local queue = key('queue', at[1])
    redis.call('XACK', queue, 'grid', at[2])
    redis.call('XDEL', queue, at[2])
    redis.call('HDEL', ticket, 'entry')
    if redis.call('HINCRBY', key('waiting'), at[1], -1) <= 0 then
        redis.call('HDEL', key('waiting'), at[1])
    end
end

local ALARMS = {'accept_80', 'accept_100', 'handle_80', 'handle_100'}

-- Sets those of a ticket's alarms that times names, or only moves them ('XX').
local function set_alarms(id, times, how)
    local fields, members = {}, {how}
    for _, name in ipairs(ALARMS) do
        if times[name] then
            fields[#fields + 1] = name .. '_at'
            fields[#fields + 1] = times[name]
            members[#members + 1] = times[name]
            members[#members + 1] = name .. '|' .. id
        end
    end
    if #fields > 0 then
        redis.call('HSET', key('ticket', id), unpack(fields))
        redis.call('ZADD', key('alarms'), unpack(members))
    end
end

-- of: 'accept', 'handle', or nil for all.
local function drop_alarms(id, of)
    for _, name in ipairs(ALARMS) do
        if not of or string.sub(name, 1, 6) == of then
            redis.call('ZREM', key('alarms'), name .. '|' .. id)
        end
    end
end

local function write_all(hash, fields)
    local pairs_of = {}
    for name, value in pairs(fields) do
        pairs_of[#pairs_of + 1] = name
        pairs_of[#pairs_of + 1] = value
    end
    redis.call('HSET', hash, unpack(pairs_of))
end

-- Open tickets are known by the map that told their owner, so that a new one finds them.
local function keep_map(id)
    local facts = redis.call('HMGET', key('ticket', id), 'map', 'filed_at')
    local map = facts[1] or 'unknown'
    redis.call('SADD', key('filed_maps'), map)
    redis.call('ZADD', key('map', map), facts[2], id)
end

local function start_clocks(id, alarms)
    local due = redis.call('HMGET', key('ticket', id), 'accept_due_at', 'handle_due_at')
    redis.call('ZADD', key('due', 'accept'), due[1], id)
    redis.call('ZADD', key('due', 'handle'), due[2], id)
    set_alarms(id, alarms)
    keep_map(id)
end

local function stop_clocks(id)
    redis.call('ZREM', key('due', 'accept'), id)
    redis.call('ZREM', key('due', 'handle'), id)
    drop_alarms(id)
    redis.call('ZREM', key('map', redis.call('HGET', key('ticket', id), 'map') or 'unknown'), id)
end

-- Puts the ticket into the lists that are read from the newest.
local function list(id)
    local facts = redis.call('HMGET', key('ticket', id), 'filed_at', 'grid', 'watchers')
    redis.call('ZADD', key('tickets'), facts[1], id)
    redis.call('ZADD', key('grid', facts[2]), facts[1], id)
    for _, code in ipairs(cjson.decode(facts[3] or '[]')) do
        redis.call('ZADD', key('watch', code), facts[1], id)
    end
end

local function unwatch(id, watchers)
    for _, code in ipairs(cjson.decode(watchers or '[]')) do
        redis.call('ZREM', key('watch', code), id)
    end
end

local function unlist(id)
    local facts = redis.call('HMGET', key('ticket', id), 'grid', 'watchers')
    redis.call('ZREM', key('tickets'), id)
    redis.call('ZREM', key('grid', facts[1]), id)
    unwatch(id, facts[2])
end

-- The grids around a place, but for the owner, watch what is there, as JSON. around: codes.
local function watchers_of(around, owner)
    local texts = {}
    for _, code in ipairs(around) do
        if code ~= owner then
            texts[#texts + 1] = cjson.encode(code)
        end
    end
    return '[' .. table.concat(texts, ',') .. ']'
end

local function set_watchers(id, around)
    local ticket = key('ticket', id)
    local facts = redis.call('HMGET', ticket, 'grid', 'watchers')
    unwatch(id, facts[2])
    local text = watchers_of(around, facts[1])
    redis.call('HSET', ticket, 'watchers', text)
    redis.call('HSET', key('ticket', id, 'message'), 'near_grids', text, 'watchers', text)
    list(id)
end

-- Tickets that are open or just done stand in an index by place, those whose places are known about
-- as well (error radius in metres, at most) together, and the rest in one without a bound: so a
-- finding is compared with what its own error reaches, not with all that the worst known reaches.
local PRECISIONS = {12, 40}

local function place_index(family, precision)
    return precision and key('place', family, precision) or key('place', family)
end

-- Takes it out of the index, but for the part of that name.
local function drop_place(id, family, but)
    for i = 1, #PRECISIONS + 1 do
        local part = place_index(family, PRECISIONS[i])
        if part ~= but then
            redis.call('ZREM', part, id)
        end
    end
end

-- Of a ticket that isn't in it; answers the part in which it is now.
local function index_place(id, family, place)
    local precision
    for i = #PRECISIONS, 1, -1 do
        if tonumber(place.radius_m) <= PRECISIONS[i] then
            precision = PRECISIONS[i]
        end
    end
    local part = place_index(family, precision)
    redis.call('GEOADD', part, place.lon, place.lat, id)
    return part
end

local function keep_place(id, family, place)
    drop_place(id, family, index_place(id, family, place))
end

-- Puts it into the queue of whoever has to take it on, if anybody has.
local function wait(id, state)
    if call.waiting[state] then
        local owner = redis.call('HGET', key('ticket', id), 'grid')
        enqueue(id, state == 'dispatched' and owner or call.first_level, state)
    end
end

