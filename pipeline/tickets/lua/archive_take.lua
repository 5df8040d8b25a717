-- What is kept of each ticket in call.ids, all of its parts at one moment. Answers a list of
-- {ticket number, number of this snapshot, digest, JSON}; tickets that aren't there are left out.

local answers = {}
local take = redis.call('INCR', key('archive', 'takes'))
for _, id in ipairs(call.ids) do
    local text = snapshot(id)
    if text then
        answers[#answers + 1] = {id, take, redis.sha1hex(text), text}
    end
end
return answers
