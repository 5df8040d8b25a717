-- One finding, an incident or a report, becomes a new ticket, or part of one that is there, or
-- changes nothing because it has been filed before. Answers {ticket number, 'created' | 'merged' |
-- 'duplicate'}, or 'moved' where tickets went to the archive since the caller looked for it there.

local EARTH_M = 6371008.8
local ROUNDING_M = 2 -- Redis rounds the places in its index to 0.6 m, and takes the earth for wider
local STALE_S = 2 * 86400 -- an incident may reach the desk this late and still find a closed ticket
local REPORTED_S = 366 * 86400 -- for so long a resident's report is listed

local lon, lat = tonumber(call.ticket.lon), tonumber(call.ticket.lat)

-- The index only finds what may be near; the decision is made on the exact places.
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

-- Its distance if it is open, or was done so shortly before that this is the same case.
local function case_distance(id, part)
    local facts = redis.call(
        'HMGET', key('ticket', id), 'lon', 'lat', 'radius_m', 'closed_at', 'state')
    local closed_at, cool_down_s = tonumber(facts[4] or nil), tonumber(call.cool_down_s)
    local distance_m = metres_to(tonumber(facts[1]), tonumber(facts[2]))
    if closed_at and tonumber(call.now) > closed_at + cool_down_s + STALE_S then
        redis.call('ZREM', part, id)
    elseif distance_m <= reach_to(tonumber(facts[3]))
        and (facts[5] ~= 'rejected' or call.source == 'video') -- a person's word is news
        and (not closed_at or tonumber(call.confirmed_at) <= closed_at + cool_down_s) then
        return distance_m
    end
end

-- The nearest such ticket. Each part of the index is read from the nearest on, no further than
-- what is known as well as its tickets can reach, or than the best that was found.
local function same_case()
    local best, best_m
    for i = 1, #PRECISIONS + 1 do
        local part = place_index(call.family, PRECISIONS[i])
        local near = redis.call(
            'GEOSEARCH', part, 'FROMLONLAT', call.ticket.lon, call.ticket.lat,
            'BYRADIUS', reach_to(PRECISIONS[i] or math.huge) + ROUNDING_M, 'm', 'ASC', 'WITHDIST')
        for _, one in ipairs(near) do
            if best and tonumber(one[2]) > best_m + ROUNDING_M then
                break
            end
            local id, distance_m = one[1], case_distance(one[1], part)
            if distance_m and (not best or distance_m < best_m
                    or (distance_m == best_m and id < best)) then
                best, best_m = id, distance_m
            end
        end
    end
    return best
end

local function keep_source(id)
    add_source(id, call.source)
    if call.source == 'resident' then
        local reported, oldest = key('reported'), tonumber(call.now) - REPORTED_S
        redis.call('ZADD', reported, call.confirmed_at, call.incident_id)
        redis.call('ZREMRANGEBYSCORE', reported, '-inf', string.format('%.0f', oldest))
    end
end

local function keep_incident(id)
    keep_source(id)
    redis.call('HSET', key('incidents'), call.incident_id, id)
    redis.call('HSET', key('ticket', id, 'incidents'), call.incident_id, call.incident)
    if call.evidence then
        redis.call('HSET', key('ticket', id, 'evidence'), call.incident_id, call.evidence)
    end
    redis.call('HINCRBY', key('ticket', id), 'count', 1)
end

local function merge(id)
    keep_incident(id)
    local facts = redis.call('HMGET', key('ticket', id), 'state', 'closed_at')
    if facts[1] == 'closed' and tonumber(call.last_seen_at) > tonumber(facts[2]) then
        return reopen(id)
    end
    raise_severity(id, call)
    take_better_place(id, call)
    add_step(id, call.added, facts[1])
    take_graver_hazard(id, call)
    still_there(id)
end

local before = redis.call('HGET', key('incidents'), call.incident_id)
if before then
    return {before, 'duplicate'}
end
if call.archive_generation
    and call.archive_generation ~= (redis.call('GET', key('archive', 'generation')) or '0') then
    return {'', 'moved'}, true -- it may just have gone there: look again
end
local same = not call.unplaced and same_case()
if same then
    merge(same)
    return {same, 'merged'}
end
local id = next_number()
keep_incident(id)
open_case(id, 'file')
return {id, 'created'}
