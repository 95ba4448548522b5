"""The ontology: every id of any age is one term, and a term knows its ancestors."""

import pytest

from matchmaker.ontology.hpo import Ontology, Term
from tests.tiny_world import TREE, tiny_ontology


def test_an_old_id_is_the_term_that_took_its_place() -> None:
    ontology = tiny_ontology()
    assert ontology.canonical("HP:0009999") == "HP:0000252"
    assert ontology.number("HP:0009999") == ontology.number("HP:0000252")
    assert ontology.label("HP:0009999") == "Microcephaly"


def test_nobody_knows_an_unknown_id() -> None:
    ontology = tiny_ontology()
    assert ontology.canonical("HP:0000000") is None
    assert "HP:0000000" not in ontology
    with pytest.raises(KeyError):
        ontology.term("HP:0000000")


def test_a_term_has_the_ancestors_of_both_its_parents() -> None:
    ontology = tiny_ontology()
    number = ontology.number("HP:0000252")
    assert number is not None
    assert {ontology.ids[n] for n in ontology.ancestors(number)} == TREE.keys() - {
        "HP:0001250", "HP:0002373", "HP:0000005",
    }  # fmt: skip


def test_numbers_put_parents_before_children() -> None:
    ontology = tiny_ontology()
    for number in range(len(ontology)):
        assert all(parent < number for parent in ontology.parents(number))


def test_only_terms_below_phenotypic_abnormality_are_scored() -> None:
    ontology = tiny_ontology()
    scored = {ontology.ids[number] for number in ontology.abnormalities}
    assert scored == TREE.keys() - {"HP:0000001", "HP:0000118", "HP:0000005"}


def test_the_graph_is_frozen() -> None:
    with pytest.raises(Exception, match=r"[Ff]rozen"):
        tiny_ontology().graph.add_edge("HP:0000001", "HP:0000252")


def test_a_circle_and_an_unknown_parent_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        Ontology("x", [Term("HP:1", "a", ("HP:2",)), Term("HP:2", "b", ("HP:1",))], {})
    with pytest.raises(ValueError, match="parent"):
        Ontology("x", [Term("HP:1", "a", ("HP:9",))], {})
