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


def symbols(knowledge: Knowledge, typed: str, limit: int = 12) -> list[str]:
    return [gene.symbol for gene in knowledge.genes.find(typed, limit)]


def test_a_gene_is_found_as_its_symbol_is_typed(real_knowledge: Knowledge) -> None:
    assert symbols(real_knowledge, "bckd")[:3] == ["BCKDHA", "BCKDHB", "BCKDK"]
    assert symbols(real_knowledge, " TTN ")[0] == "TTN", "before TTN-AS1"
    assert symbols(real_knowledge, "brca")[:2] == ["BRCA1", "BRCA2"], "coding ones before BRCA1P1"
    assert symbols(real_knowledge, "c9orf7")[0] == "C9orf72"


def test_an_alias_finds_its_gene_behind_the_symbols(tiny: Knowledge) -> None:
    assert symbols(tiny, "BCKDKD") == ["BCKDK"]
    assert symbols(tiny, "B") == ["BCKDK", "KNG1"], "KNG1 by its alias BDK; each once"
    assert symbols(tiny, "BDK") == ["BCKDK", "KNG1"], "an ambiguous alias gives them all"
    assert symbols(tiny, "B", 1) == ["BCKDK"]


@pytest.mark.parametrize("identifier", ["ENSG00000103507", "HGNC:16902", "10295"])
def test_a_whole_identifier_finds_its_gene(tiny: Knowledge, identifier: str) -> None:
    assert symbols(tiny, identifier) == ["BCKDK"]


@pytest.mark.parametrize("typed", ["", "  ", "NOSUCHGENE", "\x00", "\ud800", "x" * 10_000, "%", "TTN\tHGNC"])
def test_what_means_no_gene_finds_none(tiny: Knowledge, typed: str) -> None:
    assert symbols(tiny, typed) == []
    assert symbols(tiny, "T", 0) == []


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
