-- One incident becomes a new ticket, or part of one that is there, or changes nothing because it
-- has been filed before. Answers {ticket number, 'created' | 'merged' | 'duplicate'}.

local EARTH_M = 6371008.8
local STALE_S = 2 * 86400 -- an incident may reach the desk this late and still find a closed ticket

local index = key('place', call.family)
local lon, lat = tonumber(call.ticket.lon), tonumber(call.ticket.lat)

-- Redis rounds the places in its index to 0.6 m; the decision is made on the exact ones.
local function metres_to(other_lon, other_lat)
    local a, b = math.rad(lat), math.rad(other_lat)
    local h = math.sin((b - a) / 2) ^ 2
        + math.cos(a) * math.cos(b) * math.sin(math.rad(other_lon - lon) / 2) ^ 2
    return 2 * EARTH_M * math.asin(math.min(1, math.sqrt(h)))
end

local function reach_to(other_radius_m)
    local most, own = tonumber(call.most_radius_m), tonumber(call.ticket.radius_m)
    local mine, theirs = math.min(own, most), math.min(other_radius_m, most)
    return math.max(tonumber(call.duty_radius_m), math.sqrt(mine ^ 2 + theirs ^ 2))
end

-- The nearest ticket that is open, or was done so shortly before that this is the same case.
local function same_case()
    local best, best_m
    local near = redis.call(
        'GEOSEARCH', index, 'FROMLONLAT', call.ticket.lon, call.ticket.lat,
        'BYRADIUS', call.search_m, 'm')
    for _, id in ipairs(near) do
        local facts = redis.call(
            'HMGET', key('ticket', id), 'lon', 'lat', 'radius_m', 'closed_at')
        local closed_at = tonumber(facts[4] or nil)
        local distance_m = metres_to(tonumber(facts[1]), tonumber(facts[2]))
        if closed_at and tonumber(call.now) > closed_at + tonumber(call.cool_down_s) + STALE_S then
            redis.call('ZREM', index, id)
        elseif distance_m <= reach_to(tonumber(facts[3]))
            and (not closed_at
                or tonumber(call.confirmed_at) <= closed_at + tonumber(call.cool_down_s))
            and (not best or distance_m < best_m or (distance_m == best_m and id < best)) then
            best, best_m = id, distance_m
        end
    end
    return best
end

local function keep_incident(id)
    redis.call('HSET', key('incidents'), call.incident_id, id)
    redis.call('HSET', key('ticket', id, 'incidents'), call.incident_id, call.incident)
    if call.evidence then
        redis.call('HSET', key('ticket', id, 'evidence'), call.incident_id, call.evidence)
    end
    redis.call('HINCRBY', key('ticket', id), 'count', 1)
end

local function write_fields(id)
    local pairs_of = {}
    for name, value in pairs(call.ticket) do
        pairs_of[#pairs_of + 1] = name
        pairs_of[#pairs_of + 1] = value
    end
    redis.call('HSET', key('ticket', id), unpack(pairs_of))
    redis.call('GEOADD', index, call.ticket.lon, call.ticket.lat, id)
    redis.call('ZADD', key('grid', call.ticket.grid), call.ticket.filed_at, id)
    redis.call('ZADD', key('tickets'), call.ticket.filed_at, id)
    redis.call('ZADD', key('due', 'accept'), call.ticket.accept_due_at, id)
    redis.call('ZADD', key('due', 'handle'), call.ticket.handle_due_at, id)
end

-- Files the case under its number and hands it on: to the owner, or to the first level's review.
local function open_case(id, action)
    write_fields(id)
    keep_incident(id)
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
    redis.call('HDEL', ticket, 'closed_at', 'dispatched_at')
    open_case(id, 'reopen')
end

local function take_better_place(id)
    local ticket = key('ticket', id)
    if tonumber(call.ticket.radius_m) < tonumber(redis.call('HGET', ticket, 'radius_m')) then
        redis.call('HSET', ticket, 'lon', call.ticket.lon, 'lat', call.ticket.lat,
            'radius_m', call.ticket.radius_m, 'method', call.ticket.method)
        redis.call('GEOADD', index, call.ticket.lon, call.ticket.lat, id)
    end
end

-- A hole that turns out to be a collapse must not keep the time limits of a pothole, nor a crash
-- those of a parked car.
local function take_graver_hazard(id)
    local ticket = key('ticket', id)
    local facts = redis.call('HMGET', ticket, 'rank', 'accept_due_at', 'handle_due_at', 'state')
    if tonumber(call.ticket.rank) <= tonumber(facts[1]) then
        return
    end
    redis.call('HSET', ticket, 'hazard', call.ticket.hazard, 'rank', call.ticket.rank,
        'duty', call.ticket.duty)
    for position, name in ipairs({'accept', 'handle'}) do
        local field = name .. '_due_at'
        if tonumber(call.ticket[field]) < tonumber(facts[position + 1]) then
            redis.call('HSET', ticket, field, call.ticket[field])
            redis.call('ZADD', key('due', name), 'XX', call.ticket[field], id)
        end
    end
    add_step(id, 'regrade', facts[4])
end

local function merge(id)
    local facts = redis.call('HMGET', key('ticket', id), 'state', 'closed_at')
    if facts[1] == 'closed' and tonumber(call.last_seen_at) > tonumber(facts[2]) then
        return reopen(id)
    end
    keep_incident(id)
    raise_severity(id, call.ticket.severity)
    take_better_place(id)
    add_step(id, 'add_incident', facts[1])
    take_graver_hazard(id)
end

local before = redis.call('HGET', key('incidents'), call.incident_id)
if before then
    return {before, 'duplicate'}
end
local same = same_case()
if same then
    merge(same)
    return {same, 'merged'}
end
local number = redis.call('INCR', key('sequence', call.day))
local id = call.number_prefix .. call.day .. '-' .. string.format('%06d', number)
open_case(id, 'file')
return {id, 'created'}
