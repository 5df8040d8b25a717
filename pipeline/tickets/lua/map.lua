-- Puts a version of the grid map in force if nobody has used it before, or if call.force. Those
-- that were in force stand in a list, the newest last. Answers {the one in force, '1' if it is the
-- first of all}.

local maps = key('maps')
local first = redis.call('EXISTS', maps) == 0
local known = redis.call('LPOS', maps, call.map)
if known and call.force then
    redis.call('LREM', maps, 0, call.map)
end
if not known or call.force then
    redis.call('RPUSH', maps, call.map)
end
return {redis.call('LINDEX', maps, -1), first and '1' or ''}
