-- What filing and later news have in common: how a case is opened, opened again and made graver.
-- call.ticket and call.message say what it would be if the finding, an incident or a report, were
-- all that is known of it. call.unplaced: it has no place by which another finding could meet it.

local RANK = {notice = 0, warning = 1, emergency = 2}

-- The parts of a message that tell what was found, as against where, whose and since when.
local FINDING = {
    'hazard', 'kind', 'event_code', 'name_zh', 'name_en', 'description_zh', 'description_en',
    'department', 'source', 'camera_id', 'incident_id', 'box', 'score', 'model', 'evidence'}

local index = key('place', call.family)

local function write_all(hash, fields)
    local pairs_of = {}
    for name, value in pairs(fields) do
        pairs_of[#pairs_of + 1] = name
        pairs_of[#pairs_of + 1] = value
    end
    redis.call('HSET', hash, unpack(pairs_of))
end

local function write_fields(id)
    write_all(key('ticket', id), call.ticket)
    write_all(key('ticket', id, 'message'), call.message)
    if not call.unplaced then
        redis.call('GEOADD', index, call.ticket.lon, call.ticket.lat, id)
    end
    redis.call('ZADD', key('grid', call.ticket.grid), call.ticket.filed_at, id)
    redis.call('ZADD', key('tickets'), call.ticket.filed_at, id)
    redis.call('ZADD', key('due', 'accept'), call.ticket.accept_due_at, id)
    redis.call('ZADD', key('due', 'handle'), call.ticket.handle_due_at, id)
    set_alarms(id, call.alarms)
end

-- Files the case under its number and hands it on: to the owner, or to the first level's review.
local function open_case(id, action)
    write_fields(id)
    set_state(id, 'filed')
    add_step(id, action, 'filed')
    if call.review_grid then
        enqueue(id, call.review_grid, 'filed')
    else
        set_state(id, 'dispatched')
        redis.call('HSET', key('ticket', id), 'dispatched_at', call.now)
        add_step(id, 'dispatch', 'dispatched')
        enqueue(id, call.ticket.grid, 'dispatched')
    end
end

-- It came back after it was closed: the old number and history, everything else as found now.
local function reopen(id)
    local ticket = key('ticket', id)
    redis.call('ZREM', key('grid', redis.call('HGET', ticket, 'grid')), id)
    redis.call('HDEL', ticket, 'closed_at', 'dispatched_at', unpack(FED_BACK))
    open_case(id, 'reopen')
end

local function raise_severity(id)
    local ticket, severity = key('ticket', id), call.ticket.severity
    if RANK[severity] > RANK[redis.call('HGET', ticket, 'severity')] then
        redis.call('HSET', ticket, 'severity', severity)
        redis.call('HSET', key('ticket', id, 'message'), 'severity', call.message.severity)
    end
end

-- An entry never changes, so one that tells less than is known makes room for another, even where
-- a consumer has read it: nobody must go out for a pothole where the road has caved in.
local function replace_entry(id)
    local facts = redis.call('HMGET', key('ticket', id), 'entry', 'queue', 'state')
    if facts[1] then
        dequeue(id)
        enqueue(id, facts[2], facts[3])
    end
end

-- A hole that turns out to be a collapse must not keep the time limits of a pothole, nor a crash
-- those of a parked car.
local function take_graver_hazard(id)
    local ticket, message = key('ticket', id), key('ticket', id, 'message')
    local facts = redis.call('HMGET', ticket, 'rank', 'accept_due_at', 'handle_due_at', 'state')
    if tonumber(call.ticket.rank) <= tonumber(facts[1]) then
        return
    end
    redis.call('HSET', ticket, 'hazard', call.ticket.hazard, 'rank', call.ticket.rank,
        'duty', call.ticket.duty, 'verify', call.ticket.verify)
    for _, field in ipairs(FINDING) do
        redis.call('HSET', message, field, call.message[field])
    end
    for position, name in ipairs({'accept', 'handle'}) do
        local field = name .. '_due_at'
        if tonumber(call.ticket[field]) < tonumber(facts[position + 1]) then
            redis.call('HSET', ticket, field, call.ticket[field])
            redis.call('HSET', message, field, call.message[field])
            redis.call('ZADD', key('due', name), 'XX', call.ticket[field], id)
            local times = {}
            for _, part in ipairs({'_80', '_100'}) do
                times[name .. part] = call.alarms[name .. part]
            end
            set_alarms(id, times, 'XX')
        end
    end
    add_step(id, 'regrade', facts[4])
    replace_entry(id)
end

