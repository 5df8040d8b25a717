-- Adds what one box saw of many cameras. KEYS[1] is the root of all keys. ARGV: the box, the number
-- of its batch, up to when the batch goes (Unix seconds), then for each camera and day the key's
-- tail, when it expires (Unix seconds) and the records. A batch that was written before changes
-- nothing, so whoever got no answer may send it again. Answers whether it was new.

local written = KEYS[1] .. ':coverage:written:' .. ARGV[1]
if tonumber(redis.call('GET', written) or '0') >= tonumber(ARGV[2]) then
    return 0
end
redis.call('SET', written, ARGV[2], 'EX', 86400)
local as_of = KEYS[1] .. ':coverage:as_of'
if tonumber(redis.call('GET', as_of) or '0') < tonumber(ARGV[3]) then
    redis.call('SET', as_of, ARGV[3])
end
for i = 4, #ARGV, 3 do
    local key, records = KEYS[1] .. ':coverage:' .. ARGV[i], ARGV[i + 2]
    if redis.call('APPEND', key, records) == #records then
        redis.call('EXPIREAT', key, ARGV[i + 1])
    end
end
return 1
