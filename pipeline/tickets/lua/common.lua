-- Shared by all scripts of the desk. KEYS[1] is the root of all keys, "{prefix}"; every other key
-- is made from it, so all of them live in one slot of a cluster. ARGV[1] is a JSON object in which
-- every number is text: Redis stores it as Python wrote it, and nothing is rounded on the way.

local root = KEYS[1]
local call = cjson.decode(ARGV[1])

local function key(...)
    return table.concat({root, ...}, ':')
end

-- body is a JSON object written by Python; head is put in front of its first field.
local function headed(head, body)
    return '{' .. head .. ',' .. string.sub(body, 2)
end

local function add_step(id, action, state)
    local head = '"action":"' .. action .. '","state":"' .. state .. '"'
    redis.call('RPUSH', key('ticket', id, 'steps'), headed(head, call.step))
end

local function set_state(id, state)
    local ticket = key('ticket', id)
    local before = redis.call('HGET', ticket, 'state')
    if before then
        redis.call('ZREM', key('state', before), id)
    end
    redis.call('HSET', ticket, 'state', state)
    redis.call('ZADD', key('state', state), redis.call('HGET', ticket, 'filed_at'), id)
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
    local facts = redis.call('HMGET', key('ticket', id), 'count', 'sources', 'source')
    local sources = string.gsub(facts[2] or facts[3], ',', '","')
    local head = '"ticket_id":"' .. id .. '","state":"' .. state .. '","count":' .. facts[1]
        .. ',"sources":["' .. sources .. '"]'
    return '{' .. head .. ',' .. table.concat(texts, ',') .. '}'
end

-- Puts the ticket into a grid's queue. A consumer group is there before the first entry.
local function enqueue(id, grid, state)
    local ticket, queue = key('ticket', id), key('queue', grid)
    if redis.call('EXISTS', queue) == 0 then
        redis.call('XGROUP', 'CREATE', queue, 'grid', '0', 'MKSTREAM')
    end
    local entry = redis.call('XADD', queue, '*', 'v', '1', 'json', message_of(id, state))
    redis.call('HSET', ticket, 'queue', grid, 'entry', entry)
    redis.call('HINCRBY', key('waiting'), grid, 1)
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
    for _, name in ipairs(ALARMS) do
        if times[name] then
            local at, member = times[name], name .. '|' .. id
            redis.call('HSET', key('ticket', id), name .. '_at', at)
            if how then
                redis.call('ZADD', key('alarms'), how, at, member)
            else
                redis.call('ZADD', key('alarms'), at, member)
            end
        end
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
