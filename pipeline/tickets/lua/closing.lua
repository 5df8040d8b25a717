-- How a case ends: what was fed back is checked, by a camera, by a person or by both as its duty
-- asks (field verify), and then it is closed, or goes back to whoever handles it.
-- call.checked is the transition table's row for fed_back: action -> state after.

-- Fields of a ticket that hold only for one feedback.
local FED_BACK = {'fed_back_at', 'verified_at', 'still_at'}

local function finish(id)
    redis.call('HSET', key('ticket', id), 'closed_at', call.now)
    redis.call('HDEL', key('ticket', id), unpack(FED_BACK))
    stop_clocks(id)
end

-- A restarted box no longer looks for what it had confirmed before; its later incident counts.
local function taken_up_anew(one, incidents)
    for _, other in ipairs(incidents) do
        if other.camera_id == one.camera_id and other.started_at > one.last_seen_at then
            return true
        end
    end
    return false
end

-- What the cameras say: 'there', 'gone', or 'blind' where none sees the place, or not any more, or
-- a person reported the hazard after a camera had found it gone.
local function seen_by_cameras(id)
    local incidents, reported_at = {}, 0
    for _, text in ipairs(redis.call('HVALS', key('ticket', id, 'incidents'))) do
        local one = cjson.decode(text)
        if one.incident_id then
            incidents[#incidents + 1] = one
        else
            reported_at = math.max(reported_at, one.reported_at)
        end
    end
    local cleared_at, lost
    for _, one in ipairs(incidents) do
        local counts = not taken_up_anew(one, incidents)
        if counts and one.cleared_at ~= cjson.null then
            cleared_at = math.max(cleared_at or 0, one.cleared_at)
        elseif counts and one.last_seen_at >= tonumber(call.heard_after) then
            return 'there'
        elseif counts then
            lost = true
        end
    end
    if lost or not cleared_at or reported_at > cleared_at then
        return 'blind'
    end
    return 'gone'
end

-- Closes a ticket that was fed back once every check is done. Where no camera sees the place, a
-- person must have looked, whatever the duty asks.
local function settle(id)
    local facts = redis.call('HMGET', key('ticket', id), 'state', 'verify', 'verified_at')
    if facts[1] ~= 'fed_back' then
        return
    end
    local asked, seen = facts[2] or 'person', seen_by_cameras(id)
    local by_camera = asked ~= 'person' and seen ~= 'blind'
    local by_person = asked ~= 'camera' or seen == 'blind'
    if (by_camera and seen ~= 'gone') or (by_person and not facts[3]) then
        return
    end
    local state = call.checked.close
    set_state(id, state)
    finish(id)
    local by = by_camera and (by_person and 'camera,person' or 'camera') or 'person'
    local step = call.step
    call.step = headed('"facts":{"checked_by":"' .. by .. '"}', call.desk_step)
    add_step(id, 'close', state)
    call.step = step
end

-- It is not done: back to whoever handles it; the limits are what they were.
local function send_back(id)
    local state = call.checked.rework
    redis.call('HDEL', key('ticket', id), unpack(FED_BACK))
    set_state(id, state)
    add_step(id, 'rework', state)
end

-- The step of a finding with its picture among the facts, which are the step's last field.
local function with_picture(id)
    local evidence = redis.call('HGET', key('ticket', id, 'evidence'), call.incident_id)
    if not evidence then
        return call.step
    end
    local path = cjson.encode(cjson.decode(evidence).annotated)
    return string.sub(call.step, 1, -3) .. ',"picture":' .. path .. '}}'
end

-- The hazard was seen a while after it was said to be dealt with. A camera that checks sends the
-- ticket back; otherwise the person who checks is told, once for each feedback.
local function still_there(id)
    local ticket = key('ticket', id)
    local facts = redis.call('HMGET', ticket, 'state', 'verify', 'fed_back_at')
    local fed_back_at = tonumber(facts[3] or nil)
    if facts[1] ~= 'fed_back' or not fed_back_at
        or tonumber(call.last_seen_at) <= fed_back_at + tonumber(call.reopen_after_s) then
        return
    end
    local plain = call.step
    call.step = with_picture(id)
    if call.source == 'video' and facts[2] and facts[2] ~= 'person' then
        send_back(id)
    elseif redis.call('HSETNX', ticket, 'still_at', call.last_seen_at) == 1 then
        add_step(id, 'see_still', 'fed_back')
    end
    call.step = plain
end

