-- Keeps one shot for longer: somebody draws in it. KEYS[1] is the root of all keys. ARGV:
-- SIZE|CAMERA, the shot's id, for how many seconds, how many may be held at most (the oldest are let
-- go), and how long a shot stays that is let go. Answers whether it was still there.

redis.replicate_commands()
redis.set_repl(redis.REPL_NONE)
local held = KEYS[1] .. ':shots:held'
local shot = KEYS[1] .. ':shots:shot:' .. ARGV[2] .. '|' .. ARGV[1]
if redis.call('EXISTS', shot) == 0 then
    return 0
end
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', held, '-inf', time[1])
redis.call('HSET', shot, 'held', 1)
redis.call('EXPIRE', shot, ARGV[3])
redis.call('ZADD', held, time[1] + ARGV[3], shot)
redis.call('EXPIRE', held, ARGV[3])
local over = redis.call('ZCARD', held) - tonumber(ARGV[4])
for i = 1, over do
    local gone = redis.call('ZPOPMIN', held)[1]
    if redis.call('EXISTS', gone) == 1 then
        redis.call('HDEL', gone, 'held')
        redis.call('EXPIRE', gone, ARGV[5])
    end
end
return 1
