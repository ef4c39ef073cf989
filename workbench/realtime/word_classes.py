"""Closed classes of English words that tell whether a clause can end on them. Only lists live here, no rule."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLERS = _words("um uh er erm uhm hmm hm mm mmm ah eh like well so basically actually")

CONJUNCTIONS = _words(
    "and or but nor plus then because if when while although though unless until since whereas as than"
)

RELATIVES = _words("that which who whose whom where what how why whether")

DETERMINERS = _words(
    "a an the this these those my your his its our their some any each every no another several many few all both"
)

PREPOSITIONS = _words(
    "of in on at by for with from to into onto over under about between through during against without within "
    "towards via per around across behind beyond near upon despite including such"
)

VERB_PARTICLES = _words("in on over through up down out off back around across")
"""Prepositions that also end a clause ("goes up", "take it out")."""

AUXILIARIES = _words(
    "is are was were be been being am has have had having do does did will would could should may might must can "
    "shall cannot can't don't doesn't didn't won't wouldn't couldn't shouldn't isn't aren't wasn't weren't haven't "
    "hasn't hadn't i'm i'd i'll i've we're we'd we'll we've they're they'd they'll they've he's he'd he'll she's she'd "
    "she'll it's it'll that's there's you're you'd you'll you've let's gonna"
)

SUBJECTS = _words("i we they he she")
"""Pronouns that only begin a clause."""

DEGREES = _words(
    "very really quite more most less rather too also not never always often usually mainly mostly mainly only just "
    "even either neither almost nearly highly extremely fairly first second third probably possibly especially "
    "particularly typically"
)

NUMBERS = _words(
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand"
)

OBJECT_VERBS = _words(
    "give gives giving gave make makes making made take takes taking took check checks checking start starts "
    "starting use uses using used call calls put puts putting get gets getting want wants need needs keep keeps "
    "show shows showing cause causes causing caused include includes mean means meaning find finds look looks "
    "looking think thinks ask asks asking tell tells send sends order measure measures exclude consider prefer "
    "avoid prevent prevents reduce reduces reducing increase increases increasing lower lowers raise raises block "
    "blocks blocking stop bring brings become becomes becoming remain remains seem seems expect suspect suggest "
    "suggests treat explain describe produce produces contain contains affect affects require requires allow "
    "allows help helps let lets say says called known based due compared depending leading leads according"
)

ADJECTIVES = _words(
    "large small big high low new old left right deep full empty acute severe mild common possible likely main good "
    "bad long short early late whole single double twelve-lead blood chest heart lung liver kidney urine white red "
    "upper inner outer front rear"
)
"""Words that mostly stand before the noun they belong to; they may end a clause too."""

ADJECTIVE_ENDINGS = ("al", "ic", "ous", "ive", "ary", "able", "ible", "less", "ful", "ior", "oid", "lar", "ly")

CLAUSE_STARTS = CONJUNCTIONS | RELATIVES

SUBORDINATORS = _words("if when because although though unless until since while whereas as before after once")

FINITE_VERBS = AUXILIARIES | OBJECT_VERBS
