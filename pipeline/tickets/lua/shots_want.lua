-- Somebody looks at these cameras for some seconds more. KEYS[1] is the root of all keys. ARGV: for
-- how long (seconds), how many may be wanted at most, then each as SIZE|CAMERA. Of too many, those
-- go that would go first anyway. By this server's clock, since the boxes' clocks may differ.

redis.replicate_commands()
redis.set_repl(redis.REPL_NONE)
local wanted = KEYS[1] .. ':shots:wanted'
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('ZREMRANGEBYSCORE', wanted, '-inf', now)
for i = 3, #ARGV do
    redis.call('ZADD', wanted, 'GT', now + tonumber(ARGV[1]), ARGV[i])
end
redis.call('EXPIRE', wanted, 3600)
local over = redis.call('ZCARD', wanted) - tonumber(ARGV[2])
if over > 0 then
    redis.call('ZREMRANGEBYRANK', wanted, 0, over - 1)
end
return 0
