"""A world small enough to draw.

            118 phenotypic abnormality
            /            \\
        707 nervous     478 eye
        /      \\           \\
     1250     12443       504
    seizure   brain      vision
      |       morph.        |
    2373       252 ------- 505   <- 252 also lies below 505 here, for a term with two parents
    febrile   small head   low vision
"""

from matchmaker.exchange.reference import load_calibration
from matchmaker.genome.genes import GeneTable
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.hpo import Ontology, Term
from matchmaker.ontology.information import Frequencies, information

TREE = {
    "HP:0000001": ("All", ()),
    "HP:0000118": ("Phenotypic abnormality", ("HP:0000001",)),
    "HP:0000707": ("Abnormality of the nervous system", ("HP:0000118",)),
    "HP:0000478": ("Abnormality of the eye", ("HP:0000118",)),
    "HP:0001250": ("Seizure", ("HP:0000707",)),
    "HP:0012443": ("Abnormal brain morphology", ("HP:0000707",)),
    "HP:0000504": ("Abnormality of vision", ("HP:0000478",)),
    "HP:0002373": ("Febrile seizure", ("HP:0001250",)),
    "HP:0000505": ("Visual impairment", ("HP:0000504",)),
    "HP:0000252": ("Microcephaly", ("HP:0012443", "HP:0000505")),
    "HP:0000005": ("Mode of inheritance", ("HP:0000001",)),
}
COUNTS = {
    "HP:0000001": 100, "HP:0000118": 100, "HP:0000707": 60, "HP:0000478": 50, "HP:0001250": 30, "HP:0012443": 25,
    "HP:0000504": 20, "HP:0002373": 5, "HP:0000505": 15, "HP:0000252": 8, "HP:0000005": 10,
}  # fmt: skip
ALIASES = {"HP:0009999": "HP:0000252"}
GENES = [
    "HGNC:16902\tBCKDK\t10295\tENSG00000103507\tBCKDKD|BDK\tprotein-coding\tbranched chain kinase",
    "HGNC:6383\tKNG1\t3827\tENSG00000113889\tBDK|BK\tprotein-coding\tkininogen 1",
    "HGNC:12403\tTTN\t7273\tENSG00000155657|ENSG00000283186\tCMD1G\tprotein-coding\ttitin",
]


class NoLift:
    """A lift without a chain: GRCh37 stays where it is."""

    def position(self, chromosome: str, start: int) -> tuple[str, int, bool] | None:
        return None


def tiny_ontology() -> Ontology:
    return Ontology("tiny", [Term(i, label, parents) for i, (label, parents) in TREE.items()], ALIASES)


def tiny_knowledge() -> Knowledge:
    ontology = tiny_ontology()
    weights = information(ontology, {"annotations": Frequencies("tiny", 100, COUNTS)})
    return Knowledge(ontology, weights, GeneTable("tiny", GENES), NoLift(), load_calibration())
