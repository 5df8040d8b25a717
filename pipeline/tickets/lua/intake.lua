-- What comes to the desk, in its order, each as if it had come alone: every ARGV is a call, and its
-- act says by which script above. Ends early behind one whose caller has to look into the archive
-- before the next is done. Answers what each of them that was done answers.

local answers = {}
for i, text in ipairs(ARGV) do
    call, touched, order = cjson.decode(text), {}, {}
    local answer, look = acts[call.act]()
    tell_emergencies()
    answers[i] = answer
    if look then
        break
    end
end
return answers
