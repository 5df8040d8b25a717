-- Puts the events of a recipient's dead letters back in front of what waits, oldest first.
-- call.letters: list of {the letter's text as it stands, lane, list of its events}. Answers how
-- many letters were there still.

local revived = 0
for place = #call.letters, 1, -1 do
    local letter = call.letters[place]
    if redis.call('LREM', key('dead', call.name), 1, letter[1]) == 1 then
        for at = #letter[3], 1, -1 do
            redis.call('LPUSH', waiting(call.name, letter[2]), letter[3][at])
        end
        due(call.name, letter[2], call.now)
        revived = revived + 1
    end
end
return revived
