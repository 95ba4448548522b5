"""Any identifier of a gene is that gene."""

from pathlib import Path

import pytest

from matchmaker.genome.genes import GenesUnreadable, load_genes
from matchmaker.matching.profile import Knowledge


@pytest.mark.parametrize(
    "identifier",
    ["BCKDK", "bckdk", " BCKDK ", "BCKDKD", "10295", "NCBIGene:10295", "ENSG00000103507", "ENSG00000103507.14",
     "ensg00000103507", "HGNC:16902", "hgnc:16902"],
)  # fmt: skip
def test_every_identifier_is_the_same_gene(real_knowledge: Knowledge, identifier: str) -> None:
    found = real_knowledge.genes.resolve(identifier)
    assert found.gene
    assert (found.gene.symbol, real_knowledge.genes.preferred_id(found.gene)) == ("BCKDK", "ENSG00000103507")


def test_an_alias_of_two_genes_stays_ambiguous_and_says_so(tiny: Knowledge) -> None:
    found = tiny.genes.resolve("BDK")
    assert found.ambiguous
    assert found.gene is None
    assert {gene.symbol for gene in found.candidates} == {"BCKDK", "KNG1"}
    assert found.key == tiny.genes.resolve("bdk").key, "but it is equal to itself"


def test_a_current_symbol_goes_before_an_alias(real_knowledge: Knowledge) -> None:
    found = real_knowledge.genes.resolve("DAO")  # also an alias of AOC1
    assert found.gene
    assert found.gene.symbol == "DAO"


@pytest.mark.parametrize("identifier", ["NOSUCHGENE1", "ENSG99999999999", "999999999", "HGNC:999999"])
def test_an_id_that_nobody_knows_is_equal_to_itself_only(real_knowledge: Knowledge, identifier: str) -> None:
    genes = real_knowledge.genes
    found = genes.resolve(identifier)
    assert found.gene is None
    assert not found.ambiguous
    assert found.key == genes.resolve(identifier.lower()).key
    assert found.key != genes.resolve(identifier + "0").key


def test_an_ensembl_id_shared_with_a_noncoding_gene_is_the_coding_one(real_knowledge: Knowledge) -> None:
    found = real_knowledge.genes.resolve("ENSG00000151067")
    assert found.gene
    assert found.gene.symbol == "CACNA1C"


def test_the_preferred_id_of_every_gene_means_that_gene(real_knowledge: Knowledge) -> None:
    genes = real_knowledge.genes
    for symbol in ("CBS", "C4A", "CYP2D6", "SMN2", "U2AF1", "ICOSLG", "BCKDK", "OPN3", "RFLNA"):
        gene = genes.resolve(symbol).gene
        assert gene
        assert genes.resolve(genes.preferred_id(gene)).gene == gene


def test_an_id_shared_with_a_placeholder_or_a_readthrough_is_the_genes(real_knowledge: Knowledge) -> None:
    for identifier, symbol in (("ENSG00000160200", "CBS"), ("HGNC:1550", "CBS"), ("ENSG00000178882", "RFLNA")):
        found = real_knowledge.genes.resolve(identifier)
        assert found.gene
        assert found.gene.symbol == symbol


HEADER = b"hgnc_id\tsymbol\tentrez_id\tensembl_gene_ids\taliases\tlocus_type\tname"


@pytest.mark.parametrize(
    "content", [b"", b"a\tb\n", b"\x1f\x8brubbish", b"hgnc_id\tsymbol\n1\t2\n", HEADER, HEADER + b"\n1\t2"]
)
def test_what_is_no_table_of_genes_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "genes.tsv"
    path.write_bytes(content)
    with pytest.raises(GenesUnreadable, match=r"genes\.tsv"):
        load_genes(path, "x")
    with pytest.raises(GenesUnreadable, match="cannot be read"):
        load_genes(tmp_path / "missing", "x")
