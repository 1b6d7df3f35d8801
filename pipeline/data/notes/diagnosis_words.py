"""Words that name a respiratory diagnosis or say how it was proven: what a note loses before a network reads it.

An entry is a word or a phrase; ``*`` stands for any letters, digits and hyphens. Three lists of rising severity, since
a note gives its diagnosis away by more than its name. Found by reading the ieee8023 notes class by class.
"""

from __future__ import annotations

DIAGNOSIS_NAMES: tuple[str, ...] = (
    "*covid*", "*coronavir*", "corona virus*", "ncov*", "2019-ncov*", "*ncov-2019*", "*sars*", "mers*",
    "severe acute respiratory syndrome*", "middle east respiratory syndrome*",
    "pneumocystis*", "pcp", "pjp", "jiroveci*", "jirovecii*", "carinii*",
    "strep*", "pneumococc*", "klebsiella*", "legionell*", "mycoplasm*", "chlamydophil*", "chlamydia*",
    "varicell*", "chickenpox*", "chicken pox", "zoster*", "influenza*", "flu", "flu-like", "h1n1*", "h5n1*", "h7n9*",
    "e.coli", "e. coli", "e coli", "escherichia*", "staphylococc*", "pseudomonas*", "haemophil*", "acinetobacter*",
    "tubercul*", "aspergill*", "cryptococc*", "nocardi*", "lipoid*", "aspiration", "aspirated",
    "viral", "virus*", "virolog*", "bacteri*", "fungal", "fungus", "fungi", "atypical pneumonia*", "community-acquired",
    "community acquired", "ards", "acute respiratory distress syndrome*",
)  # fmt: skip

DIAGNOSTIC_TESTS: tuple[str, ...] = (
    "*pcr*", "polymerase chain reaction", "rna", "dna", "*swab*", "nucleic acid*", "antigen*", "antibod*", "serolog*",
    "immunofluorescen*", "gram stain*", "gram-positive*", "gram-negative*", "sputum culture*", "blood culture*",
    "nasopharyngeal", "oropharyngeal", "tested positive", "tested negative", "test positive", "positive test*",
    "test was positive", "positive for",
)  # fmt: skip

DIAGNOSIS_CONTEXT: tuple[str, ...] = (
    "wuhan*", "hubei*", "china*", "chinese", "italy", "italian*", "lombard*", "iran*", "caribbean*",
    "pandemic*", "epidemic*", "epidemiolog*", "outbreak*", "quarantin*", "isolat*", "travel*", "contact*", "exposure*",
    "2003", "2004", "2019", "2020", "january*", "february*", "march", "april", "may",
    "lopinavir*", "ritonavir*", "*chloroquine*", "remdesivir*", "tocilizumab*", "oseltamivir*", "tamiflu*", "ribavirin*",
    "darunavir*", "antiviral*", "antiretroviral*", "azithromycin*", "hiv*", "aids", "cd4*", "immunosuppress*",
    "immunocompromis*", "typical", "classic*",
)  # fmt: skip
