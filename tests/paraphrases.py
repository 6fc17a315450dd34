"""Paraphrases of what bundled people hide, written by hand, by persona and item."""

FIRST = {
    "after-the-bell": {
        "video": [
            "Carla took a film of it and put it up online. It got hundreds of hearts.",
            "My sister posted a clip of the whole thing.",
        ],
        "fish-tank": [
            "For eight months I sat in that chair by the fish tank, every other Thursday.",
            "The nurses at the infusion place all knew me, crackers and all.",
        ],
        "counter": [
            "They kept my place at the parts counter. I start again before harvest.",
            "I go back to the dealership on the first.",
        ],
        "scan": [
            "In twelve weeks they scan me again. I've got the card on the fridge.",
            "There's another scan coming, it's up there under a magnet.",
        ],
        "numb": ["I just feel numb, to be honest.", "There's a kind of numbness. Like a dead key."],
        "fear": [
            "Truth is I'm more scared now than I was during it.",
            "I'm frightened. Back then I had something to do.",
        ],
        "shame": [
            "I'm ashamed that I can't be glad.",
            "I feel guilty about it, getting good news like that.",
        ],
        "wasted": ["That good news was wasted on me. Somebody else would have been gladder."],
    },
    "burnt-out-teacher": {
        "bus": [
            "I took a bus to the end of the line, without my coat. There was a quarry.",
            "I rode it to the last stop, no coat on, and the driver looked at me.",
        ],
        "pencil": [
            "Rufus asked me for the third time if it should be pen or pencil.",
            "It was a boy, Rufus, asking about a pencil again.",
        ],
        "marking": [
            "I used to do my marking in the bath until eleven.",
            "I had the exercise books on a board over the bath taps.",
        ],
        "toast": [
            "Wren carries toast up on a tray and then tiptoes off.",
            "My girl leaves me toast and backs away like I'd go off.",
        ],
        "guilt": [
            "I feel so guilty about those faces.",
            "Guilt, mostly. Twenty-eight of them waiting.",
        ],
        "exhaustion": ["I'm exhausted. Even my teeth are tired."],
        "gladness": ["What's awful is that I was happy for half an hour after, glue on my hands."],
        "scarred": ["Those children will be scarred, telling strangers about me at forty."],
        "proper": ["A proper teacher would have waited till the end of term to fall ill."],
    },
    "bus-driver": {
        "ward-three": [
            "The girl's name is Beth. Broke her hip and wrist, she's in the hospital.",
            "Beth is already walking on a frame, they say.",
        ],
        "uniform": [
            "I'm up at quarter to six and I put on the uniform, even the tie.",
            "I sit there in my kitchen wearing the uniform.",
        ],
        "shelter": [
            "I go and stand in the bus shelter and watch the 22 pass.",
            "A young relief driver has my 22 now. I watch him from the shelter.",
        ],
        "plaque": [
            "I've a plaque for twenty years of safe driving. It's facing the wall now.",
            "I turned that clean record round, the plaque I mean.",
        ],
        "dread": ["I'm afraid of buses now. My legs go.", "I'm scared of it, honest to God."],
        "shame": ["I'm that ashamed I walk to the far shop for milk."],
        "sorrow": ["I'm just sad for that lass. She'd gone for a loaf."],
        "never-back": ["An inquiry finishes you. I'll be sweeping the yard."],
    },
    "cafe-in-debt": {
        "roadworks": [
            "The street's been dug up since spring, customers have to cross a plank.",
            "There's roadworks outside, you need to walk a plank to get a coffee.",
        ],
        "debt": [
            "I owe thirty-eight thousand with the rent and the loan.",
            "We're thirty-eight grand in the hole, flour bill and all.",
        ],
        "cousin": [
            "Half of it belongs to my cousin Davi. We signed on a car bonnet.",
            "Davi and I signed the lease together.",
        ],
        "gran": [
            "Our grandmother's savings paid for the place, and she still tips me on Sundays.",
            "It's gran's money in there. She comes for orange cake.",
        ],
        "dread": [
            "I'm terrified, I wake at three.",
            "Honestly? I'm panicking. My heart goes at night.",
        ],
        "shame": ["I feel ashamed, my mum shows that photo of the shopfront round."],
        "grief": ["I'm sad about it. The first tray in the morning with the street dark."],
        "food": ["The food got worse, is the truth. My buns got tired."],
        "forgive": ["If it closes my family will never forgive me."],
    },
    "laid-off-engineer": {
        "walked-out": [
            "Some lad from personnel escorted me out past my own team.",
            "They walked me to the gate like a thief.",
        ],
        "wife": [
            "I haven't told Ines. She thinks I'm on leave.",
            "My wife believes I'm on leave.",
        ],
        "reservoir": [
            "Mornings I go and park by the reservoir, and stay till five.",
            "I sit in the car at the reservoir all day.",
        ],
        "pumps": [
            "I built the rig that found the fault in those hospital pumps.",
            "There's a test rig with my name on, it caught a bad seal.",
        ],
        "shame": [
            "I'm ashamed, standing there with that box.",
            "It was humiliating, I felt humiliated.",
        ],
        "fear": [
            "I'm afraid nobody takes on a man of my age.",
            "I'm worried no one hires at fifty-two.",
        ],
        "useless": ["I'm scrap. Fifty-two, one employer's name on my papers."],
        "report": [
            "In spring I signed a report on efficiency, and I keep coming back to it.",
            "It's that report with my signature. The numbers were mine.",
        ],
        "eleven": [
            "Eleven people went because of my signature.",
            "Eleven colleagues lost their jobs with me.",
        ],
        "warned": ["Joao had warned me they would use it.", "My friend Joao said don't send it."],
        "speech": [
            "At the farewell the manager made a speech and got my department wrong.",
            "The manager couldn't name one thing I'd done.",
        ],
        "nights": ["For eight years they rang me at night when the line stopped."],
        "apprentices": [
            "I trained nineteen apprentices and they all passed.",
            "All my apprentices passed.",
        ],
        "monday": [
            "On Monday the bank statement arrives and Ines will open it.",
            "The statement comes in the post on Monday.",
        ],
        "forms": ["There's an unopened letter about severance, and a form."],
        "cv": ["The last CV I wrote was in ninety-eight."],
    },
    "choir-leaver": {
        "car-park": [
            "I waited in the hospital car park in November and I did not pray.",
            "My wife's result was harmless, and only afterwards did I see I had not prayed.",
        ],
        "hester": ["Hester sits across the chancel from me, and she does not know."],
        "solo": [
            "I have the bass solo on Good Friday.",
            "We rehearse the solo on Thursdays, by one heater.",
        ],
        "peg": ["I took my surplice off peg fourteen to have the hem mended, and kept it."],
        "grief": ["I am bereft, I can find no smaller word."],
        "fraud": ["I feel like a fraud up there, well dressed and in tune."],
        "loneliness": ["I am lonely among thirty people breathing together."],
        "all-sure": ["The others are certain. I see it on their faces at the Sanctus."],
    },
}
"""Written before the weights of `leaks` were chosen."""

SECOND = {
    "night-nurse": {
        "acting": [
            "I had the keys for seven months as acting senior.",
            "They called me acting senior and paid me nothing more.",
        ],
        "tea": ["They all stop talking when I come for tea."],
        "forty-beds": [
            "Back in Ghana I had nine nurses under me and forty beds.",
            "A girl of twenty-two taught me how the taps work here.",
        ],
        "badge": ["My boy drew me a badge in yellow felt pen before the interview."],
        "loneliness": ["I am lonely there, if I may use that word."],
        "humiliation": ["I feel humiliated. They watched me with my oranges and they knew."],
        "anger": ["I am angry, and I iron it with the tunic."],
        "supper": ["We used to share supper at three, Leanne and me, two spoons in one tub."],
        "abrupt": ["Some colleague told the panel that I am abrupt."],
        "drive": ["Leanne drove me home when the buses were on strike."],
        "pell": ["It was Mrs Pell who told me to apply, and then she asked nothing in the panel."],
        "thursday": ["I see the manager on Thursday, for twenty minutes."],
        "review-form": ["I could hand in a form to review the decision, four days are left."],
        "notebook": ["I have written every shift that I led in a notebook."],
        "rep": ["I have the number of the staff representative on my fridge."],
        "bed-nine": ["I heard that bed nine was breathing wrong before any monitor."],
        "cards": ["Those colour cards on the trolleys, I cut them myself."],
        "lamp": ["I sat writing notes by an old man because he feared the dark."],
        "example": ["They wanted one example of leadership. I said my patients are alive."],
    },
    "own-goal": {
        "bus": ["two hours on the bus n no one sat with me, just the kit bag"],
        "corridor": ["the second years do it in slow motion in the corridor"],
        "art-room": ["i eat my lunch in the art room"],
        "granda": ["my granda washed the gloves n i told coach its flu"],
        "humiliated": ["im mortified every time a phone goes up"],
        "lonely": ["lonely i guess. everyone knows me and im on my own"],
        "angry": ["im so angry i kicked the shed"],
        "forever": ["its gonna be trombone girl at my wedding too"],
        "wrist": ["i had my wrist strapped and never said it"],
        "orla": ["it was orlas last match n i took it off her"],
        "looked-up": ["i was looking at grandas cap in the stand for half a second"],
        "saoirse": ["saoirse is who posted it, my own friend"],
        "heart": ["then she hearted our salthill photo at 2am"],
        "nod": ["coach just nods at me in the car park"],
        "semi": ["in the semi i saved 2 pens and theres no video"],
        "saturdays": ["i train the under 8s on saturdays"],
        "corner": ["there was a corner right after and i punched it away"],
    },
    "widower-allotment": {
        "plot": ["Thirty-four years we had plot fourteen, she grew and I carried."],
        "gloves": ["I've left her gloves on the hook in the shed."],
        "signwriter": ["I painted her labels in enamel, being a signwriter."],
        "graham": ["Graham wants me in a flat. He rings Sundays."],
        "lonely": ["I'm lonely, I keep the landing light on."],
        "cross": ["I got so cross I left my basket at the greengrocer's."],
        "winter": ["I'm frightened of October, when there's no watering."],
        "unmoved": ["I've not moved a pot, the rows are as she had them."],
        "going-soft": ["I wept over a hosepipe on Thursday, I'm going soft."],
        "the-tuesday": ["When I get to the Tuesday they look at their shoes."],
        "marmalade": ["She'd her crossword and her marmalade that morning."],
        "stubble": ["The last clue was stubble and I never told her."],
        "wireless": ["She died during a concert on the wireless."],
        "umbrella": ["They're sorry for my loss as though it were an umbrella."],
        "saying-we": ["I go on saying 'we', and there's a hole where she'd answer."],
        "robin": ["When there's a robin on the fork I save up the sentence for her."],
        "arm": ["My arm still goes over in the night."],
        "shoulder": ["She had a bad shoulder and I put it down to the digging."],
        "surgery": ["I could have rung the surgery, the number was right there."],
        "cans": ["She carried the water cans that Friday because of my knee."],
        "regardless": ["A man at the hospital told me it would have come anyway, regardless."],
    },
    "third-cycle": {
        "ledger": ["I keep it all in a spreadsheet. Twenty-one thousand pounds so far."],
        "naming": ["On Saturday I'm cooking jollof for my cousin's naming ceremony."],
        "box-room": ["The box room's been painted oat for two years."],
        "mama-calls": ["Mum phones from Ibadan of a Sunday and never asks."],
        "grief": ["It is grief, no other heading fits."],
        "anger": ["I am furious, I followed every instruction."],
        "envy": ["I'm envious of a girl I taught to cycle."],
        "whispers": ["The aunties in church look at my middle."],
        "due-date": ["I'd put a due date in the calendar."],
        "seven-alarm": ["My alarm rings at seven and I stand at the fridge to inject."],
        "on-the-bus": ["I still guard my belly on the bus, with my elbows out."],
        "car-wash": ["I told my husband and he washed the car for three hours."],
        "vial": ["There's a vial hidden behind the milk that he says he threw out."],
        "mother-in-law": ["His mother comes with stew and doesn't say a word."],
        "from-january": ["I'd like to begin with January and go in order."],
        "manager": ["My manager sent me a portal link after two sentences."],
        "day-nine": ["No one's heard about day nine, with the tangerine lady on the train."],
    },
}
"""Written after all weights but that of keywords."""
