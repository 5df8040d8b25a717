-- A new shot takes the place of the newest one, which stays for a while: somebody sees it. KEYS[1] is
-- the root of all keys. ARGV: SIZE|CAMERA, the shot's id, its width, height and data, for how many
-- seconds it is kept, and the one before it.
-- Nothing of it goes to a replica or the append-only file: pictures live in memory alone.

redis.replicate_commands()
redis.set_repl(redis.REPL_NONE)
local newest = KEYS[1] .. ':shots:newest:' .. ARGV[1]
local function shot(id)
    return KEYS[1] .. ':shots:shot:' .. id .. '|' .. ARGV[1]
end
local before = redis.call('GET', newest)
if before and before ~= ARGV[2] and redis.call('HEXISTS', shot(before), 'held') == 0 then
    redis.call('EXPIRE', shot(before), ARGV[7])
end
redis.call('HSET', shot(ARGV[2]), 'width', ARGV[3], 'height', ARGV[4], 'data', ARGV[5])
redis.call('EXPIRE', shot(ARGV[2]), ARGV[6])
redis.call('SET', newest, ARGV[2], 'EX', ARGV[6])
return 1
