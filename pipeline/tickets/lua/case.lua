-- What filing and later news have in common: how a case is opened, opened again and made graver.
-- call.ticket and call.message say what it would be if the finding, an incident or a report, were
-- all that is known of it. call.unplaced: it has no place by which another finding could meet it.

local RANK = {notice = 0, warning = 1, emergency = 2}

-- The parts of a message that tell what was found, as against where, whose and since when.
local FINDING = {
    'hazard', 'kind', 'event_code', 'name_zh', 'name_en', 'description_zh', 'description_en',
    'department', 'emergency', 'source', 'camera_id', 'incident_id', 'box', 'score', 'model',
    'evidence'}

-- A ticket says of everything it is made of where that came from, in the order it came.
local function add_source(id, source)
    local ticket = key('ticket', id)
    local facts = redis.call('HMGET', ticket, 'sources', 'source')
    local known = facts[1] or facts[2]
    if not known then
        redis.call('HSET', ticket, 'sources', source)
    elseif not string.find(',' .. known .. ',', ',' .. source .. ',', 1, true) then
        redis.call('HSET', ticket, 'sources', known .. ',' .. source)
    end
end

-- new: of a ticket that stands nowhere yet.
local function mark_place(id, place, unplaced, new)
    if new and not unplaced then
        index_place(id, call.family, place)
    elseif unplaced then
        redis.call('HSET', key('ticket', id), 'unplaced', '1')
        drop_place(id, call.family)
    else
        redis.call('HDEL', key('ticket', id), 'unplaced')
        keep_place(id, call.family, place)
    end
end

local function write_fields(id, new)
    local text = watchers_of(call.around, call.ticket.grid)
    call.ticket.watchers, call.message.near_grids, call.message.watchers = text, text, text
    if not new then
        unwatch(id, redis.call('HGET', key('ticket', id), 'watchers'))
    end
    write_all(key('ticket', id), call.ticket)
    write_all(key('ticket', id, 'message'), call.message)
    mark_place(id, call.ticket, call.unplaced, new)
    list(id)
    start_clocks(id, call.alarms)
end

local function next_number()
    local number = redis.call('INCR', key('sequence', call.day))
    return call.number_prefix .. call.day .. '-' .. string.format('%06d', number)
end

-- Files the case under its number and hands it on: to the owner, or to the first level's review.
local function open_case(id, action)
    write_fields(id, action == 'file')
    add_step(id, action, 'filed')
    if call.review_grid then
        set_state(id, 'filed')
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
    redis.call('HDEL', ticket, 'closed_at', 'dispatched_at', 'by_hand', unpack(FED_BACK))
    open_case(id, 'reopen')
end

-- found, here and below, is what else is known of the case: call, or another ticket's fields.
local function raise_severity(id, found)
    local ticket, severity = key('ticket', id), found.ticket.severity
    if RANK[severity] > RANK[redis.call('HGET', ticket, 'severity')] then
        redis.call('HSET', ticket, 'severity', severity)
        redis.call('HSET', key('ticket', id, 'message'), 'severity', found.message.severity)
        raise_version(id)
        touch(id)
    end
end

-- The owner stays; who watches goes by the better place. Any place is better than none.
local function take_better_place(id, found)
    local ticket, better = key('ticket', id), found.ticket
    local facts = redis.call('HMGET', ticket, 'radius_m', 'unplaced')
    local nearer = facts[2] or tonumber(better.radius_m) < tonumber(facts[1])
    if nearer and not better.unplaced then
        redis.call('HSET', ticket, 'lon', better.lon, 'lat', better.lat,
            'radius_m', better.radius_m, 'method', better.method)
        redis.call('HSET', key('ticket', id, 'message'), 'place', found.message.place)
        mark_place(id, better)
        set_watchers(id, found.around)
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
local function take_graver_hazard(id, found)
    local ticket, message = key('ticket', id), key('ticket', id, 'message')
    local facts = redis.call('HMGET', ticket, 'rank', 'accept_due_at', 'handle_due_at', 'state')
    if tonumber(found.ticket.rank) <= tonumber(facts[1]) then
        return
    end
    redis.call('HSET', ticket, 'hazard', found.ticket.hazard, 'rank', found.ticket.rank,
        'duty', found.ticket.duty, 'verify', found.ticket.verify)
    for _, field in ipairs(FINDING) do
        redis.call('HSET', message, field, found.message[field])
    end
    for position, name in ipairs({'accept', 'handle'}) do
        local field = name .. '_due_at'
        if tonumber(found.ticket[field]) < tonumber(facts[position + 1]) then
            redis.call('HSET', ticket, field, found.ticket[field])
            redis.call('HSET', message, field, found.message[field])
            redis.call('ZADD', key('due', name), 'XX', found.ticket[field], id)
            local times = {}
            for _, part in ipairs({'_80', '_100'}) do
                times[name .. part] = found.alarms[name .. part]
            end
            set_alarms(id, times, 'XX')
        end
    end
    add_step(id, 'regrade', facts[4])
    replace_entry(id)
end

