-- What is looked at now. KEYS[1] is the root of all keys. Answers triples of size, camera and the id
-- of the newest shot there is of it ('' for none), flat.

local now = redis.call('TIME')
local found = {}
local members = redis.call('ZRANGEBYSCORE', KEYS[1] .. ':shots:wanted', now[1] + now[2] / 1e6, '+inf')
for _, member in ipairs(members) do
    local size, camera = string.match(member, '^(%a+)|(.*)$')
    found[#found + 1] = size
    found[#found + 1] = camera
    found[#found + 1] = redis.call('GET', KEYS[1] .. ':shots:newest:' .. member) or ''
end
return found
