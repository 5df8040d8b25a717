-- What every command of a person asks before it changes anything. call.permits are the grids on
-- whose behalf it is given (all, if it is left out), call.seen the versions from which the rest of
-- the call was worked out.

-- Whether this very command has been carried out on the ticket.
local function carried_out(id)
    return call.command_id
        and redis.call('SISMEMBER', key('ticket', id, 'commands'), call.command_id) == 1
end

local function carry_out(id)
    if call.command_id then
        redis.call('SADD', key('ticket', id, 'commands'), call.command_id)
    end
end

-- Why it can't be, as {outcome, ticket, ...}, or nil. expected: the version on which it was decided,
-- if the command says so. after: the column of the transition table, state before -> state after.
local function refusal(id, expected, after)
    local facts = redis.call('HMGET', key('ticket', id), 'state', 'version', 'grid', 'merged_into')
    local state, version = facts[1], facts[2] or '0'
    if not state then
        return {'unknown', id}
    end
    local holder = call.at_the_top[state] and call.first_level or facts[3]
    if call.permits and not call.permits[holder] then
        return {'foreign', id, state, holder}
    end
    if expected and expected ~= version then
        local steps = redis.call('LRANGE', key('ticket', id, 'steps'), -20, -1)
        return {'stale', id, state, version, steps}
    end
    if not after[state] then
        return {'refused', id, state, facts[4] or ''}
    end
    if call.seen and call.seen[id] ~= version then
        return {'changed', id}
    end
end

