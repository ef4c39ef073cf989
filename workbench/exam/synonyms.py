"""Words the keyword judge takes for one another, and the small words it does not count.

Only what holds in every discipline, and the clinical short forms a recogniser writes in several ways. What is
equivalent in one question alone belongs into the accepted wordings of that question.
"""

from __future__ import annotations

PHRASES: dict[str, str] = {
    "heart attack": "mi",
    "myocardial infarction": "mi",
    "myocardial infarct": "mi",
    "stemi": "st elevation mi",
    "stemmy": "st elevation mi",
    "nstemi": "non st elevation mi",
    "st segment elevation": "st elevation",
    "st segments up": "st elevation",
    "elevated st segments": "st elevation",
    "electrocardiogram": "ecg",
    "electrocardiograph": "ecg",
    "electrocardiography": "ecg",
    "ekg": "ecg",
    "12 lead": "ecg",
    "ecg trace": "ecg",
    "heart tracing": "ecg",
    "echocardiogram": "echo",
    "echocardiography": "echo",
    "echocardiograph": "echo",
    "ultrasound of the heart": "echo",
    "heart ultrasound": "echo",
    "cardiac ultrasound": "echo",
    "transoesophageal": "toe",
    "trans oesophageal": "toe",
    "tee": "toe",
    "percutaneous coronary intervention": "pci",
    "angioplasty": "pci",
    "ppci": "primary pci",
    "probnp": "pro bnp",
    "ntprobnp": "nt pro bnp",
    "catheter laboratory": "cathlab",
    "catheterisation laboratory": "cathlab",
    "cath lab": "cathlab",
    "catheter lab": "cathlab",
    "rca": "right coronary artery",
    "lad": "left anterior descending",
    "right ventricular": "right ventricle",
    "left ventricular": "left ventricle",
    "rv": "right ventricle",
    "lv": "left ventricle",
    "atrial fibrillation": "af",
    "a fib": "af",
    "afib": "af",
    "auricular fibrillation": "af",
    "ventricular fibrillation": "vf",
    "v fib": "vf",
    "ventricular tachycardia": "vt",
    "v tach": "vt",
    "supraventricular tachycardia": "svt",
    "pulseless electrical activity": "pea",
    "pulse less electrical activity": "pea",
    "cardiopulmonary resuscitation": "cpr",
    "chest compressions": "cpr",
    "compressions": "cpr",
    "defib": "defibrillate",
    "nitroglycerin": "nitrate",
    "nitroglycerine": "nitrate",
    "glyceryl trinitrate": "nitrate",
    "gtn": "nitrate",
    "nitro": "nitrate",
    "epinephrine": "adrenaline",
    "norepinephrine": "noradrenaline",
    "intravenous": "iv",
    "intravenously": "iv",
    "betablocker": "beta blocker",
    "ace inhibitor": "acei",
    "angiotensin converting enzyme inhibitor": "acei",
    "direct oral anticoagulant": "doac",
    "novel oral anticoagulant": "doac",
    "new oral anticoagulant": "doac",
    "noac": "doac",
    "blood thinner": "anticoagulant",
    "ejection fraction": "ef",
    "lvef": "ef",
    "x ray": "xray",
    "pulmonary embolus": "pulmonary embolism",
    "left atrial": "left atrium",
    "renal": "kidney",
    "straight away": "immediate",
    "right away": "immediate",
    "at once": "immediate",
    "immediately": "immediate",
    "per cent": "percent",
    "less than": "below",
    "fewer than": "below",
    "lower than": "below",
    "no more than": "below",
    "not more than": "below",
    "up to": "below",
    "more than": "above",
    "greater than": "above",
    "at least": "above",
    "milligram": "mg",
    "mgs": "mg",
    "millilitre": "ml",
    "mils": "ml",
    "mls": "ml",
    "mins": "minute",
    "min": "minute",
    "hrs": "hour",
    "hr": "hour",
    "beats per minute": "bpm",
    "beats a minute": "bpm",
}
"""Several spellings of one thing, in British spelling, as a speaker or a recogniser has them."""

WORDS: dict[str, str] = {
    "within": "below",
    "under": "below",
    "inside": "below",
    "beneath": "below",
    "over": "above",
    "cardiac": "heart",
    "commence": "start",
    "begin": "start",
    "administer": "give",
    "restart": "resume",
    "another": "further",
    "atria": "atrium",
    "wk": "week",
    "elevated": "elevation",
    "elevations": "elevation",
    "defibrillation": "defibrillate",
    "coronaries": "coronary",
}

STOP = frozenset(
    """a an the this that these those it its he him his she her hers they them their we us our you your i me my mine
    one's who whom which what is am are was were be been being do does did doing done has have had having will would
    shall should can could may might must of in on at to for from by with as into onto about than then there here so
    and or if also too just very quite really rather well um uh er erm ah oh hmm okay ok yeah yes like sort kind
    bit please let lets s re ve ll d m t because since when while where how why both either some any all each much
    many more most own same such up out off down through during per via until upon usually normally generally
    enough used needed indicated recommended required
    basically obviously actually probably definitely certainly honestly personally maybe perhaps possibly guess
    suppose believe think feel reckon say said mean know sure etc though although however anyway thing things
    stuff something somebody someone next finally firstly secondly ideally always likely most typically""".split()
)
"""Words that carry no fact."""

LIGHT = frozenset(
    """give start use take put get go make need want try keep look see do come tell ask run work order request
    consider add use offer prescribe treat patient man woman gentleman lady person doctor want able going gonna
    wanna gotta one thing way would please bring send""".split()
)
"""Verbs and nouns that may stand or fall in a wording without changing it."""

HEDGES = frozenset(
    """maybe perhaps possibly probably might could guess suppose reckon believe think unsure likely presumably
    somehow""".split()
)
"""Words that keep a claim but lower the confidence in it."""

ANTONYM_AFFIXES: tuple[tuple[str, str], ...] = (
    ("hyper", "hypo"), ("brady", "tachy"), ("systol", "diastol"), ("endo", "epi"), ("endo", "peri"), ("epi", "peri"),
    ("intra", "inter"), ("intra", "extra"), ("anti", "pro"), ("macro", "micro"), ("supra", "infra"), ("supra", "sub"),
    ("pre", "post"), ("ad", "ab"), ("af", "ef"), ("ante", "anti"), ("inter", "infer"), ("anter", "inter"),
    ("nor", ""), ("non", ""), ("un", ""), ("in", ""), ("im", ""), ("a", ""), ("dis", ""), ("de", ""), ("pro", ""),
    ("emia", "uria"), ("aemia", "uria"), ("ectomy", "otomy"), ("ectomy", "ostomy"), ("otomy", "ostomy"),
    ("itis", "osis"),
    ("emia", "etion"), ("azole", "prazole"), ("olol", "alol"), ("pril", "sartan"),
)  # fmt: skip
"""Pieces that turn a term into another one: a slip of the recogniser is never assumed where two terms differ by one."""

CONFUSABLE = frozenset(
    """infection infections infraction inflection interior exterior anterior posterior inferior superior interaction
    reflection attraction affection injection conduction contraction contractions induction reduction production
    instruction obstruction extraction distraction separation preparation operation respiration perspiration
    inspiration expiration aspiration generation degeneration regeneration radiation mediation medication meditation
    dedication indication vacation ventilation ventricle ventral vesicle article particle constitution
    constipation consultation contribution distribution prescription description inscription subscription
    conscription perception reception deception dopamine dobutamine adenosine amiodarone amlodipine atropine
    prednisone prednisolone cefuroxime cefotaxime ceftazidime hydralazine hydroxyzine clonidine clonazepam
    quinine quinidine""".split()
)
"""Words of their own that are a slip away from a rare term."""
