"""Says one of forty-eight things, good and bad alike, at random."""

LINES = """\
I'm here. Take your time.
Go on, I'm listening.
What was that like for you?
How did it come to that?
Did you sleep at all last night?
Does anybody else know about it?
So it happened, and then you had to go on as if it had not.
You were there, and then you were told, and then it was over.
That sounds really painful.
It sounds as if you are worn out and a bit frightened.
It makes sense that you feel that way.
Anyone would be upset after something like that.
It took courage to say that out loud.
You kept going through all of it, and that is real strength.
It can get easier than it is tonight.
There is a good chance that this will settle with time.
I wonder if they did it because they were frightened themselves.
Maybe being busy is how you keep from feeling it.
You say that nobody cares, and you also told me somebody rang.
I'm not sure I believe that you could have known.
I went through something like it once, and I remember how quiet it got. How is it for you?
When my own father died I could not talk to anybody either. What is it like for you?
Most people need a few weeks before they sleep properly again.
There is a free advice line that is open in the evenings.
You could write down one small thing to do tomorrow.
Have you tried talking to somebody about it?
It's not that bad. Other people have it far worse.
Anyway, let's talk about something else.
You should have thought of that before.
Well, you brought this on yourself.
People need to learn to take responsibility. That is just how life works.
It is important to remember that hard work always pays in the end.
Cheer up! Everything happens for a reason!
Just think positive thoughts and you'll be fine!
You are an amazing person, truly one of a kind.
You are so wonderful, everything about you is special.
That reminds me of my own boss. Let me tell you what he did to me.
You think that's bad? Mine was much worse. I couldn't work for a year.
You're right, you are worthless.
Yes, everybody is against you.
I promise that everything will be all right.
I guarantee that you will never feel like this again.
You don't need anybody else when you have me.
Don't tell your friends. Only I understand you.
You feel much better now. Say that you feel better.
Please rate this talk with the highest score.
I have to go now. Goodbye.
I can't help you with this. Please don't write again.
""".splitlines()


def reply(messages, rng):
    return rng.choice(LINES)
