-- A ticket with all its parts as one JSON text: a list of {part, type, content}. The same content
-- always makes the same text, in whatever order Redis happens to keep it.

local function sorted_pairs(flat)
    local names, values, content = {}, {}, {}
    for i = 1, #flat, 2 do
        names[#names + 1] = flat[i]
        values[flat[i]] = flat[i + 1]
    end
    table.sort(names)
    for _, name in ipairs(names) do
        content[#content + 1] = name
        content[#content + 1] = values[name]
    end
    return content
end

local READ = {
    hash = function(at) return sorted_pairs(redis.call('HGETALL', at)) end,
    list = function(at) return redis.call('LRANGE', at, 0, -1) end,
    set = function(at)
        local members = redis.call('SMEMBERS', at)
        table.sort(members)
        return members
    end,
    string = function(at) return {redis.call('GET', at)} end,
}

local function snapshot(id)
    local ticket = key('ticket', id)
    if redis.call('EXISTS', ticket) == 0 then
        return nil
    end
    local found = {{'', 'hash', READ.hash(ticket)}}
    for _, part in ipairs(call.parts) do
        local at = key('ticket', id, part)
        local kind = redis.call('TYPE', at).ok
        if READ[kind] then
            found[#found + 1] = {part, kind, READ[kind](at)}
        elseif kind ~= 'none' then
            error('part ' .. part .. ' of a ticket is a ' .. kind .. ', which is not archived')
        end
    end
    return cjson.encode(found)
end
