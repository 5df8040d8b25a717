-- What happens to tickets, told: an event in the stream of events for whoever must hear of it, and,
-- where the duty says so, the emergency office, both in the script that makes the change.

local EVENT_OF = {
    remind = 'remind', overdue = 'overdue', escalate = 'escalated', ['return'] = 'returned',
    reopen = 'reopened', rework = 'rework', regrade = 'regraded', feed_back = 'fed_back',
    close = 'closed', reject = 'rejected'}

-- No reader may be slower than this many events; the notifier keeps far fewer (docs/notifications.md).
local MOST_EVENTS = 50000

local OFFICE = 'emergency' -- where a grid's code stands in the name of a queue

-- In these states a case needs nobody; called off: there was no hazard, or another ticket has it,
-- also where what was split off took the emergency along.
local OVER = {closed = true, rejected = true, merged = true}
local CALLED_OFF = {rejected = true, merged = true, split = true}

-- Ticket -> its last step in this call, and the tickets in the order in which the office hears.
local touched, order = {}, {}

local function touch(id)
    if not touched[id] then
        order[#order + 1] = id
    end
    touched[id] = call.step
end

-- A consumer group is there before the first entry, so that it misses none.
local function with_group(stream, group)
    if redis.call('EXISTS', stream) == 0 then
        redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    end
end

-- message is that of the ticket (message_of).
local function add_event(event, grid, message, alert)
    local stream = key('events')
    with_group(stream, 'notify')
    local body = '{"event":"' .. event .. '","grid":"' .. grid .. '","alert":' .. (alert or 'null')
        .. ',"step":' .. call.step .. ',"ticket":' .. message .. '}'
    redis.call('XADD', stream, 'MAXLEN', '~', MOST_EVENTS, '*', 'v', '1', 'json', body)
end

function tell_step(id, action, state)
    touch(id)
    if EVENT_OF[action] then
        local grid = redis.call('HGET', key('ticket', id), 'grid')
        add_event(EVENT_OF[action], grid, message_of(id, state))
    end
end

function tell_entry(grid, message)
    add_event('queued', grid, message)
end

local function entry_after(one, other)
    local ms, n = string.match(one, '^(%d+)-(%d+)$')
    local other_ms, other_n = string.match(other, '^(%d+)-(%d+)$')
    ms, n, other_ms, other_n = tonumber(ms), tonumber(n), tonumber(other_ms), tonumber(other_n)
    return ms > other_ms or (ms == other_ms and n > other_n)
end

local function was_read(stream, entry)
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        for i = 1, #group, 2 do
            if group[i] == 'last-delivered-id' and not entry_after(entry, group[i + 1]) then
                return true
            end
        end
    end
    return false
end

-- The office has one entry of a case at a time, the newest. Of a case that is over it hears only
-- where somebody has read of it; else it is as if nothing had been.
local function tell_office(id, state, over)
    local ticket, stream = key('ticket', id), key('queue', OFFICE)
    local old = redis.call('HGET', ticket, 'office_entry')
    local read = old and was_read(stream, old)
    if old then
        redis.call('XACK', stream, 'grid', old)
        redis.call('XDEL', stream, old)
        redis.call('HDEL', ticket, 'office_entry')
    end
    if read or not over then
        with_group(stream, 'grid')
        local entry = redis.call('XADD', stream, '*', 'v', '1', 'json', message_of(id, state))
        redis.call('HSET', ticket, 'office_entry', entry)
    end
end

-- Tells the emergency office what it doesn't know yet: a new case, one that is graver, elsewhere
-- or of another kind than was said, one that is over. ``told`` is what was said last, ``alerts``
-- the times of all that was said: with the ticket's number they name the documents.
local function tell_emergency(id)
    local ticket, message = key('ticket', id), key('ticket', id, 'message')
    local facts = redis.call('HMGET', ticket, 'state', 'told', 'alerts', 'severity', 'hazard',
        'lon', 'lat', 'radius_m', 'grid')
    local state, told, alerts = facts[1], facts[2], facts[3] or ''
    local emergency = redis.call('HGET', message, 'emergency') == 'true'
    if not told and not emergency then
        return
    end
    local status = OVER[state] and state or (emergency and 'open' or 'split')
    local over = status ~= 'open'
    local now = table.concat({status, facts[4], facts[5], facts[6], facts[7], facts[8]}, '|')
    local before = told and string.match(told, '^[^|]*')
    local was_over = not told or before ~= 'open'
    if now == told or (over and was_over) then
        return
    end
    local kind = 'Update'
    if not told or CALLED_OFF[before] then
        kind = 'Alert'
    elseif CALLED_OFF[status] then
        kind = 'Cancel'
    end
    alerts = alerts .. (alerts == '' and '' or ',') .. call.now
    redis.call('HSET', ticket, 'told', now, 'alerts', alerts)
    tell_office(id, state, over)
    add_event('emergency', facts[9], message_of(id, state),
        '{"type":"' .. kind .. '","over":' .. tostring(over) .. ',"sent_at":[' .. alerts .. ']}')
end

local function tell_emergencies()
    for _, id in ipairs(order) do
        call.step = touched[id]
        tell_emergency(id)
    end
end
