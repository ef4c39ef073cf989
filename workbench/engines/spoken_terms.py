"""Words a voice would misread, and what it is given instead. Only tables live here."""

from __future__ import annotations

ABBREVIATIONS: dict[str, str] = {
    r"\be\.\s?g\.,?": "for example,",
    r"\bi\.\s?e\.,?": "that is,",
    r"\betc\.?(?=\s+[A-Z]|\s*$)": "et cetera.",
    r"\betc\b\.?": "et cetera",
    r"\bvs?\.(?=\s)": "versus",
    r"\bvs\b": "versus",
    r"(?<=[a-z]) v (?=[A-Z][a-z])": " versus ",
    r"\bcf\.": "compare",
    r"\bapprox\.": "approximately",
    r"\bDr\.?(?=\s+[A-Z])": "Doctor",
    r"\bProf\.?(?=\s+[A-Z])": "Professor",
    r"\bMr\.?(?=\s+[A-Z])": "Mister",
    r"\bMrs\.?(?=\s+[A-Z])": "Missus",
    r"\bMs\.?(?=\s+[A-Z])": "Miz",
    r"\bSt\.?(?=\s+[A-Z])": "Saint",
    r"\bCapt\.(?=\s+[A-Z])": "Captain",
    r"\bHon\.(?=\s)": "Honourable",
    r"\bFigs?\.\s?(?=\d)": "Figure ",
    r"\bEq\.\s?(?=\d)": "Equation ",
    r"\bNo\.\s?(?=\d)": "number ",
    r"\bArt\.\s?(?=[\dIVX])": "Article ",
    r"\b(?:Sec|Sect)\.\s?(?=\d)": "Section ",
    r"\bss?\.\s?(?=\d)": "section ",
    r"§§?\s?(?=\d)": "section ",
    r"\bCh\.\s?(?=[\dIVX])": "Chapter ",
    r"\bpp?\.\s?(?=\d)": "page ",
    r"\bet al\.?": "and others",
    r"(?i)\ba\.m\.(?=\s+[A-Z]|\s*$)": "A M.",
    r"(?i)\bp\.m\.(?=\s+[A-Z]|\s*$)": "P M.",
    r"(?i)\ba\.m\.": "A M",
    r"(?i)\bp\.m\.": "P M",
    r"(?<=\d)\s?am\b": " A M",
    r"(?<=\d)\s?pm\b": " P M",
    r"\bw/o\b": "without",
    r"\bw/(?=\s)": "with",
    r"\bs/p\b": "status post",
    r"\bc/o\b": "complains of",
    r"\bh/o\b": "history of",
    r"\bk/c/o\b": "known case of",
    r"\bp\.?r\.?n\.(?=\s|$)": "as needed",
    r"\bb\.?[di]\.?d?\.(?=\s|$)": "twice a day",
    r"\bt\.?[di]\.?[sd]\.(?=\s|$)": "three times a day",
    r"\bq\.?[di]\.?[sd]\.(?=\s|$)": "four times a day",
    r"\bo\.d\.(?=\s|$)": "once a day",
    r"\bN/A\b": "not applicable",
    r"\band/or\b": "and or",
    r"\b24/7\b": "twenty-four seven",
}
"""Pattern to replacement, tried in this order; case matters unless the pattern says otherwise."""

TERMS: dict[str, str] = {
    "SpO2": "S P O two",
    "SaO2": "S A O two",
    "PaO2": "P A O two",
    "PaCO2": "P A C O two",
    "pCO2": "P C O two",
    "PCO2": "P C O two",
    "pO2": "P O two",
    "PO2": "P O two",
    "FiO2": "F I O two",
    "SvO2": "S V O two",
    "EtCO2": "end-tidal C O two",
    "CO2": "C O two",
    "O2": "oxygen",
    "H2O": "water",
    "N2O": "nitrous oxide",
    "NaCl": "sodium chloride",
    "NaHCO3": "sodium bicarbonate",
    "HCO3-": "bicarbonate",
    "HCO3": "bicarbonate",
    "Na+": "sodium",
    "K+": "potassium",
    "Cl-": "chloride",
    "Ca2+": "calcium",
    "Ca++": "calcium",
    "Mg2+": "magnesium",
    "HbA1c": "H B A one C",
    "Hb": "haemoglobin",
    "eGFR": "E G F R",
    "mRNA": "M R N A",
    "tRNA": "T R N A",
    "pH": "P H",
    "aVF": "A V F",
    "aVL": "A V L",
    "aVR": "A V R",
    "tPA": "T P A",
    "rtPA": "R T P A",
    "INR": "I N R",
    "FEV1": "F E V one",
    "CHA2DS2-VASc": "chads vask",
    "CHADS2": "chads two",
    "qSOFA": "quick sofa",
    "BiPAP": "bye pap",
    "CPAP": "see pap",
    "NSAID": "en-said",
    "NSAIDs": "en-saids",
    "STEMI": "stemmy",
    "NSTEMI": "N stemmy",
    "CABG": "cabbage",
    "HELLP": "help",
    "PICC": "pick",
    "BRCA1": "bracka one",
    "BRCA2": "bracka two",
    "MRaS": "M R A S",
    "PhD": "P H D",
    "MSc": "M S C",
    "BSc": "B S C",
    "MATLAB": "mat lab",
    "SQL": "sequel",
    "IoT": "I O T",
    "ICAO": "eye-kay-oh",
    "Hz": "hertz",
    "XOR": "ex or",
}
"""Whole words, exactly as written. Longer ones are tried first."""

SAID_AS_WORDS = frozenset(
    "ACE AIDS APGAR ARDS ASCOT CRISPR COVID ELISA FAST GERD GRACE HELLP HIPAA LASER LASIK LIFO FIFO MONA "
    "NASA NATO "
    "NICE OPEC PEEP PIN RADAR RAM ROM SARS SCAR SCUBA SIDS SIM SOAP SOFA SONAR SWOT TAVI TAVR TENS TIMI "
    "TORCH UNESCO "
    "UNICEF VATS PERT LED LEAN OSHA CAD CAM ABS".split()
) - {"LED", "ABS", "ARDS"}
"""Acronyms that are said as a word; other runs of capitals are spelled."""

SHOUTED = frozenset(
    "NOT NO NEVER ALWAYS ONLY MUST ALL AND OR BUT DO DOES IS ARE THE THIS THAT EXCEPT BEFORE AFTER BOTH "
    "NONE ANY FIRST "
    "LAST STOP NOW YES VERY MORE LESS MOST LEAST BEST WORST WILL SHOULD EACH NEXT".split()
)
"""Ordinary words that people put in capitals for weight."""

GREEK: dict[str, str] = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "micro", "ν": "nu", "ξ": "xi", "ο": "omicron",
    "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi",
    "ψ": "psi", "ω": "omega", "Γ": "gamma", "Δ": "delta", "Θ": "theta", "Λ": "lambda", "Ξ": "xi", "Π": "pi",
    "Σ": "sigma", "Φ": "phi", "Ψ": "psi", "Ω": "omega",
}  # fmt: skip

SYMBOLS: dict[str, str] = {
    r"<=>|<->|↔|⇌|⇔": " and back to ",
    r"=>|⇒|-+>|→|⟶": " leads to ",
    r"<-+|←": " comes from ",
    r">=|≥|⩾": " greater than or equal to ",
    r"<=|≤|⩽": " less than or equal to ",
    r">>|≫": " much greater than ",
    r"<<|≪": " much less than ",
    r"!=|≠": " is not equal to ",
    r"≈|≃|≅|~": " about ",
    r"±|\+/-|\+/−": " plus or minus ",
    r"(?<=[\w)]) ?[x×] ?(?=[\d(])": " times ",
    r"×": " times ",
    r"÷": " divided by ",
    r"\+\+\+?": " plus plus ",
    r"(?<=\w)\+(?=\s|[,.;:]|$)": " positive",
    r"\+": " plus ",
    r"(?<!\S)[-−](?=\d)": " minus ",
    r"−": " minus ",
    r"==?": " equals ",
    r"(?<=\w)\s?>\s?(?=\w)": " is more than ",
    r"(?<=\w)\s?<\s?(?=\w)": " is less than ",
    r">": " more than ",
    r"<": " less than ",
    r"&": " and ",
    r"%": " percent ",
    r"√\s?": " the square root of ",
    r"∞": " infinity ",
    r"∝": " is proportional to ",
    r"↑": " raised ",
    r"↓": " lowered ",
    r"°": " degrees ",
    r"(?<=\w)²": " squared",
    r"(?<=\w)³": " cubed",
    r"(?<=\w)\^2\b": " squared",
    r"(?<=\w)\^3\b": " cubed",
    r"\^": " to the power of ",
    r"#\s?(?=\d)": " number ",
    r"@": " at ",
    r"½": " one half ",
    r"¼": " one quarter ",
    r"¾": " three quarters ",
    r"⅓": " one third ",
    r"⅔": " two thirds ",
}
"""Pattern to replacement, tried in this order."""

ROMAN_AFTER = (
    "class|classes|type|types|stage|stages|grade|grades|phase|phases|nerve|nerves|factor|factors|part|parts|article|"
    "articles|act|section|sections|chapter|chapters|schedule|title|war|angiotensin|collagen|mobitz|killip|harris|annex|"
    "appendix|lead|leads|tier|category|categories|level|levels|volume|book|division|zone|complex|order|kennedy|angle|"
    "nyha|ccs|mallampati|mode|model|mark|group|cn|asa|step|figo|henry|george|elizabeth|edward|charles|canto|list"
)
"""Words after which capitals I, V, X are a Roman numeral."""

ROMAN_I_NOT_BEFORE = frozenset(
    "am was have had has would will did do can could should think thought felt saw went took gave asked "
    "started may "
    "might must never always also just know knew see want used use".split()
)
"""Words that make a lone "I" the speaker and not the number one."""

ORDINAL_FRACTIONS = {(1, 2): "one half", (1, 3): "one third", (2, 3): "two thirds", (1, 4): "one quarter",
                     (3, 4): "three quarters", (1, 5): "one fifth", (1, 8): "one eighth"}  # fmt: skip

OUT_OF = frozenset({5, 10, 15, 20, 30, 50, 100, 120})
"""Denominators of scores: "7/10" is "seven out of ten"."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro", "₹": "rupee"}
