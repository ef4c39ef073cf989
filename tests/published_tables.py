"""Tables printed in the papers and books that the statistics are held against."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

SHROUT_FLEISS_1979_TABLE_2 = pd.DataFrame(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
"""Shrout and Fleiss 1979, Psychol Bull 86:420, Table 2: six targets by four judges; equal to `sf` in the example of
psych's `ICC`."""

COHEN_1968_TABLE_1 = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
"""Cohen 1968, Psychol Bull 70:213: diagnoses of 200 cases by two raters; equal, times 200, to the shares `cohen` in the
example of psych's `cohen.kappa`."""

FLEISS_LEVIN_PAIK_2003_TABLE_18_1 = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
"""Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, ch. 18: diagnoses of 100 subjects,
psychotic, neurotic or organic, by two raters."""

BLAND_ALTMAN_1986_WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
BLAND_ALTMAN_1986_MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
"""Bland and Altman 1986, Lancet 327:307: peak expiratory flow, l/min, of 17 people, the first measurements with the
large and the mini meter; equal to `WrightFirst` and `MiniWrightFirst` of blandr's `bland.altman.PEFR.1986`."""

BRENNAN_2001_NO_1 = [
    "101000000000", "111001000000", "111110000000", "110110010000", "111110100000", "111011100000", "111111100000",
    "111101111100", "111111111110", "111111111111",
]  # fmt: skip
"""Brennan 2001, Generalizability Theory, synthetic data set no. 1: ten persons by twelve items; equal to the data of
GeneralizIT's tests of that set."""

BRENNAN_2001_NO_3 = {
    1: [[2, 4, 5, 5, 4, 4, 2, 3, 0, 6], [6, 5, 5, 9, 3, 4, 6, 4, 5, 8], [7, 6, 4, 8, 5, 4, 6, 4, 4, 7],
        [5, 7, 6, 6, 6, 7, 5, 5, 5, 6]],
    2: [[2, 6, 5, 5, 4, 6, 2, 6, 5, 6], [5, 7, 4, 7, 5, 4, 7, 6, 5, 8], [5, 5, 5, 7, 6, 7, 7, 6, 5, 8],
        [5, 7, 5, 6, 4, 8, 5, 4, 3, 6]],
}  # fmt: skip
"""Brennan 2001, Generalizability Theory, synthetic data set no. 3, by occasion: four items by ten persons; equal to the
data of GeneralizIT's tests of that set."""

LSAT_6 = {
    "00000": 3, "00001": 6, "00010": 2, "00011": 11, "00100": 1, "00101": 1, "00110": 3, "00111": 4, "01000": 1,
    "01001": 8, "01011": 16, "01101": 3, "01110": 2, "01111": 15, "10000": 10, "10001": 29, "10010": 14, "10011": 81,
    "10100": 3, "10101": 28, "10110": 15, "10111": 80, "11000": 16, "11001": 56, "11010": 21, "11011": 173,
    "11100": 11, "11101": 61, "11110": 28, "11111": 298,
}  # fmt: skip
"""Bock and Lieberman 1970, Psychometrika 35:179, section 6 of the LSAT: how often each pattern of five answers came;
equal to the counts of `lsat6` of psych."""

UCB_ADMISSIONS = [
    (512, 313, 89, 19), (353, 207, 17, 8), (120, 205, 202, 391), (138, 279, 131, 244), (53, 138, 94, 299),
    (22, 351, 24, 317),
]  # fmt: skip
"""Bickel, Hammel and O'Connell 1975, Science 187:398, the six largest departments: men admitted and rejected, women
admitted and rejected; equal to `UCBAdmissions` of R's datasets."""

ATTITUDE = """43 51 30 39 61 92 45|63 64 51 54 63 73 47|71 70 68 69 76 86 48|61 63 45 47 54 84 35|81 78 56 66 71 83 47
43 55 49 44 54 49 34|58 67 42 56 66 68 35|71 75 50 55 70 66 41|72 82 72 67 71 83 31|67 61 45 47 62 80 41
64 53 53 58 58 67 34|67 60 47 39 59 74 41|69 62 57 42 55 63 25|68 83 83 45 59 77 35|77 77 54 72 79 77 46
81 90 50 72 60 54 36|74 85 64 69 79 79 63|65 60 65 75 55 80 60|65 70 46 57 75 85 46|50 58 68 54 64 78 52
50 40 33 34 43 64 33|64 61 52 62 66 80 41|53 66 52 50 63 80 37|40 37 42 58 50 57 49|63 54 42 48 66 75 33
66 77 66 63 88 76 72|78 75 58 74 80 78 49|48 57 44 45 51 83 38|85 85 71 71 77 74 55|82 82 39 59 64 78 39"""
"""Chatterjee and Price 1977, Regression Analysis by Example: 30 departments by 7 questions; equal to `attitude` of R's
datasets."""

CUSHNY_PEEBLES = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
"""Cushny and Peebles 1905, J Physiol 32:501, in Student 1908, Biometrika 6:20: hours of sleep gained by ten people with
either drug; equal to `sleep` of R's datasets."""

BENJAMINI_HOCHBERG_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
"""Benjamini and Hochberg 1995, J R Stat Soc B 57:289, section 4: fifteen p values of a trial of thrombolysis (Neuhaus
and others 1992); equal to the example of SciPy's `false_discovery_control`."""


def attitude() -> pd.DataFrame:
    """Its seven questions as columns."""
    rows = [[int(one) for one in row.split()] for row in ATTITUDE.replace("\n", "|").split("|")]
    names = ["rating", "complaints", "privileges", "learning", "raises", "critical", "advance"]
    return pd.DataFrame(rows, columns=names)


def lsat_6() -> pd.DataFrame:
    """One row a person."""
    rows = [[int(one) for one in pattern] for pattern, n in LSAT_6.items() for _ in range(n)]
    return pd.DataFrame(rows, columns=[f"item {number}" for number in range(1, 6)])


def two_raters(table: np.ndarray) -> tuple[list[int], list[int]]:
    """The marks of two raters from the table of how often each met each."""
    pairs = [(i, j) for i, j in itertools.product(range(len(table)), repeat=2) for _ in range(table[i, j])]
    return [i for i, _ in pairs], [j for _, j in pairs]


def brennan_no_1() -> pd.DataFrame:
    """Persons by items as a long table."""
    cells = [(p, i, int(x)) for p, row in enumerate(BRENNAN_2001_NO_1) for i, x in enumerate(row)]
    return pd.DataFrame(cells, columns=["person", "item", "points"])


def brennan_no_3() -> pd.DataFrame:
    """Persons by items by occasions as a long table."""
    cells = [
        (person, item, occasion, score)
        for occasion, items in BRENNAN_2001_NO_3.items()
        for item, scores in enumerate(items)
        for person, score in enumerate(scores)
    ]
    return pd.DataFrame(cells, columns=["person", "item", "occasion", "points"])


def ucb_as_answers() -> pd.DataFrame:
    """Admission as the answer to one item, the department as the score on all: its counterpart makes up for it."""
    persons, rows = itertools.count(), []
    for department, counts in enumerate(UCB_ADMISSIONS):
        for (group, right), n in zip(itertools.product(("men", "women"), (1, 0)), counts, strict=True):
            for _ in range(n):
                person = next(persons)
                rows.append((person, "admission", right, group))
                rows.append((person, "counterpart", 1 - right, group))
                rows += [(person, f"anchor {k}", int(k < department), group) for k in range(5)]
    return pd.DataFrame(rows, columns=["person", "item", "correct", "group"])
