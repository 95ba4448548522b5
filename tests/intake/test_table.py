"""Every row of a table is taken, or refused with the column that is wrong."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.patients import Rejected, Taken
from matchmaker.intake.table import read_table
from matchmaker.mme.patient import Contact
from matchmaker.ontology.hpo import Ontology, Term
from tests.tiny_world import ALIASES, GENES, TREE

FILE = Path("cases.csv")
CONTACT = Contact(name="Dr Byrne", href="mailto:byrne@hospital.example")
MORE = {
    "HP:0000007": ("Autosomal recessive inheritance", ("HP:0000005",)),
    "HP:0003674": ("Onset", ("HP:0000001",)),
    "HP:0003593": ("Infantile onset", ("HP:0003674",)),
    "HP:0001256": ("Intellectual disability, mild", ("HP:0000707",)),
    "HP:0008763": ("No social interaction", ("HP:0000707",)),
}
ONTOLOGY = Ontology("tiny", [Term(i, label, parents) for i, (label, parents) in {**TREE, **MORE}.items()], ALIASES)
TABLE = GeneTable("tiny", GENES)
SEIZURE, SMALL_HEAD = "HP:0001250", "HP:0000252"


def read(text: str) -> tuple[Taken | Rejected, ...]:
    return read_table(text, FILE, ONTOLOGY, TABLE, CONTACT)


def taken(text: str) -> Taken:
    (row,) = read(text)
    assert isinstance(row, Taken), str(row)
    return row


def problems(row: Taken | Rejected) -> list[tuple[str, str]]:
    assert isinstance(row, Rejected)
    return [(problem.path, problem.message) for problem in row.problems]


def one(column: str, cell: str, **others: str) -> str:
    """A table of one row, tab-separated, with a feature unless told otherwise."""
    cells = {"id": "p1", "features": SEIZURE, **others, column: cell}
    return "\t".join(cells) + "\n" + "\t".join('"' + said.replace('"', '""') + '"' for said in cells.values()) + "\n"


def features(cell: str) -> list[tuple[str, str]]:
    return [(feature.id, feature.observed) for feature in taken(one("features", cell)).patient.features]


def wrong(column: str, cell: str, **others: str) -> str:
    (row,) = read(one(column, cell, **others))
    ((path, message),) = problems(row)
    assert path == column
    return message


def test_a_row_is_told_in_the_exchanges_words() -> None:
    text = (
        "id,label,sex,features,genes,variants,zygosity,inheritance,onset,disorders\n"
        "p1,Twin,F,HP:0001250;-HP:0000252,BCKDK,GRCh38:16-31110716-G-C,hom,Autosomal recessive inheritance,"
        "HP:0003593,OMIM:614923 ORPHA:308410\n"
    )
    row = taken(text)
    assert (row.file, row.position, row.notes) == (FILE, "row 2", ())
    assert row.patient.to_json() == {
        "id": "p1",
        "label": "Twin",
        "contact": CONTACT.to_json(),
        "sex": "FEMALE",
        "ageOfOnset": "HP:0003593",
        "inheritanceMode": "HP:0000007",
        "features": [
            {"id": SEIZURE, "label": "Seizure", "observed": "yes"},
            {"id": SMALL_HEAD, "label": "Microcephaly", "observed": "no"},
        ],
        "genomicFeatures": [
            {
                "gene": {"id": "ENSG00000103507"},
                "zygosity": 2,
                "variant": {
                    "assembly": "GRCh38",
                    "referenceName": "16",
                    "start": 31110715,
                    "end": 31110716,
                    "referenceBases": "G",
                    "alternateBases": "C",
                },
            }
        ],
        "disorders": [{"id": "MIM:614923"}, {"id": "Orphanet:308410"}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "id,features\np1,HP:0001250 HP:0000252\n",
        "id;features\np1;HP:0001250|HP:0000252\n",
        "id;features\r\np1;HP:0001250,HP:0000252\r\n",
        "\ufeffid\tfeatures\rp1\tHP:0001250;HP:0000252",
        '"Features";"ID"\n"HP:0001250;HP:0000252";"p1"\n',
        'HPO terms, Patient-ID\n"HP:0001250\r\nHP:0000252", "p1"\n',
        "sep=;\r\nid;features\r\np1;HP:0001250 HP:0000252\r\n",
        "\n,,\nid,features,\n\n,,\np1,HP:0001250 HP:0000252,,,\n",
    ],
    ids=["comma", "semicolon", "crlf", "bom-tab-cr", "quoted", "aliases", "sep", "empty"],
)
def test_every_way_a_spreadsheet_writes_it_is_the_same_row(text: str) -> None:
    assert [feature.id for feature in taken(text).patient.features] == [SEIZURE, SMALL_HEAD]


def test_rows_are_counted_as_the_spreadsheet_counts_them() -> None:
    rows = read('id,label,features\na,"two\nlines",HP:0001250\n\n,,\nb,,HP:0001250\n')
    assert [row.position for row in rows] == ["row 2", "row 5"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Seizure", [(SEIZURE, "yes")]),
        ("no seizure|MICROCEPHALY", [(SEIZURE, "no"), (SMALL_HEAD, "yes")]),
        ("-Seizure, Febrile seizure", [(SEIZURE, "no"), ("HP:0002373", "yes")]),
        ("hp:0001250 no HP:0000252 -HP:0000505", [(SEIZURE, "yes"), (SMALL_HEAD, "no"), ("HP:0000505", "no")]),
        ("\u2212HP:0001250; \u2013 HP:0000252", [(SEIZURE, "no"), (SMALL_HEAD, "no")]),
        ("Intellectual disability, mild", [("HP:0001256", "yes")]),
        ("No social interaction", [("HP:0008763", "yes")]),
        ("no No social interaction", [("HP:0008763", "no")]),
        ("HP:0001250;HP:0001250;;", [(SEIZURE, "yes")]),
    ],
)
def test_features_are_ids_or_exact_labels_and_may_be_denied(cell: str, expected: list[tuple[str, str]]) -> None:
    assert features(cell) == expected


def test_an_old_id_becomes_the_live_one_and_is_told() -> None:
    row = taken(one("features", "HP:0009999"))
    assert row.patient.features[0].id == SMALL_HEAD
    assert row.notes == ("HP:0009999 is now HP:0000252 Microcephaly",)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("features", "HP:0001250;HP:7777777", "HP:7777777 is no term of HPO tiny"),
        ("features", "HP:12", "'HP:12' is neither an HPO id"),
        ("features", "Seizures", "'Seizures' is neither"),
        ("features", "HP:0001250;-HP:0001250", "to be there and not to be there"),
        ("features", "", "both are empty"),
        ("sex", "girl", "expected one of f, female"),
        ("genes", "BDK", "BDK may mean BCKDK or KNG1"),
        ("genes", "1-Mar", "a spreadsheet made a date of"),
        ("genes", "<script>", "neither a symbol nor an id"),
        ("variants", "GRCh38:16-5-C-T", "needs its gene in front"),
        ("variants", "BCKDK=16-5-C-T", "needs an assembly"),
        ("variants", "BDK=GRCh38:16-5-C-T", "may mean"),
        ("zygosity", "both", "expected one of"),
        ("zygosity", "hom", "where one gene is named"),
        ("inheritance", SEIZURE, "is no mode of inheritance"),
        ("inheritance", "HP:0000005", "is no mode of inheritance"),
        ("inheritance", "sometimes", "neither an HPO id"),
        ("onset", "HP:7777777", "HP:7777777 is no term"),
        ("disorders", "614923", "expected ids such as MIM:614923"),
        ("disorders", "OMIM:PS12", "expected ids such as"),
        ("id", "", "is missing"),
        ("id", "x" * 256, "at most 255"),
        ("id", "=cmd|' /C calc'!A0", "formula"),
        ("label", "@SUM(1+1)", "formula"),
        ("label", "a\x00b", "control character"),
        ("label", "\u202eevil", "control character"),
        ("label", "Garc\ufffda", "UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(column: str, cell: str, said: str) -> None:
    assert said in wrong(column, cell)


def test_a_problem_names_the_column_as_the_table_does() -> None:
    (row,) = read("Patient ID,HPO Terms\np1,HP:7777777\n")
    assert problems(row)[0][0] == "HPO Terms"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"genes": "BCKDK;TTN,3827"}, [("ENSG00000103507", None, None), ("ENSG00000155657", None, None), ("ENSG00000113889", None, None)]),
        ({"genes": "BCKDK TTN", "variants": "TTN=hg19:2-5-C-T"}, [("ENSG00000103507", None, None), ("ENSG00000155657", 4, None)]),
        ({"variants": "BCKDK=hg19:16-5-C-T|bckdk=hg19:16-9-C-T", "zygosity": "het"}, [("ENSG00000103507", 4, 1), ("ENSG00000103507", 8, 1)]),
        ({"genes": "BCKDK", "zygosity": "2"}, [("ENSG00000103507", None, 2)]),
        ({"genes": "NEW1"}, [("NEW1", None, None)]),
    ],
)  # fmt: skip
def test_a_variant_goes_to_its_gene(cells: dict[str, str], expected: list[tuple[Any, ...]]) -> None:
    found = taken(one("features", "", **cells)).patient.genomic_features
    assert [(g.gene.id, g.variant.start if g.variant else None, g.zygosity) for g in found] == expected


def test_the_kind_of_word_may_be_left_out() -> None:
    row = taken(one("inheritance", "autosomal recessive", onset="Infantile"))
    assert (row.patient.inheritance_mode, row.patient.age_of_onset) == ("HP:0000007", "HP:0003593")


def test_an_unknown_column_or_gene_is_a_note() -> None:
    named, silent = read("id,features,Hospital,genes\na,HP:0001250,Bergamo,NEW1\nb,HP:0001250,,\n")
    assert isinstance(named, Taken)
    assert named.notes == (
        "the gene NEW1 is unknown here; kept as it is written",
        "left out, for the column is unknown: Hospital",
    )
    assert isinstance(silent, Taken)
    assert silent.notes == ()


def test_three_wrong_rows_do_not_lose_the_good_ones() -> None:
    rows = read(
        "id,features,genes\na,HP:0001250,\nb,HP:7777777,\nc,,BCKDK\na,HP:0001250,\nd,HP:0001250,HP:0000252,x\ne,Seizure\n"
    )
    assert [isinstance(row, Taken) for row in rows] == [True, False, True, False, False, True]
    assert problems(rows[1]) == [("features", "HP:7777777 is no term of HPO tiny")]
    assert problems(rows[3]) == [("id", "'a' is the id of row 2, too")]
    assert "4 cells under 3 columns" in problems(rows[4])[0][1]
    assert str(rows[1]) == "cases.csv: row 3: features: HP:7777777 is no term of HPO tiny"


def test_all_that_is_wrong_in_a_row_is_told_at_once() -> None:
    (row,) = read("id,sex,features,genes\n=1,x,HP:7777777,BDK\n")
    assert [path for path, _ in problems(row)] == ["id", "sex", "features", "genes"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column id"),
        ("Dear colleague,\nplease find attached\n", "no column id"),
        ("features\nHP:0001250\n", "no column id"),
        ("id,features,HPO\na,HP:0001250,\n", "two columns for features: features and HPO"),
        ("id,features\n", "no rows below"),
        ('id,"features\na,b\n', "opens a quote"),
        ("id,features\n" + "".join(f"p{n},HP:0001250\n" for n in range(1001)), "more than 1,000 rows"),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(text: str, said: str) -> None:
    (row,) = read(text)
    assert row.position == ""
    assert said in problems(row)[0][1]


def test_a_thousand_rows_are_read() -> None:
    rows = read("id,features\n" + "".join(f"p{n},HP:0001250\n\n" for n in range(1000)))
    assert len(rows) == 1000
    assert all(isinstance(row, Taken) for row in rows)


def test_a_quote_never_closed_ends_the_table_and_is_told() -> None:
    good, bad = read('id,features\na,HP:0001250\nb,"HP:0001250\nc,HP:0001250\n')
    assert isinstance(good, Taken)
    assert bad.position == "row 3"
    assert "rows from here on were not read" in problems(bad)[0][1]


def test_a_stray_quote_or_an_endless_cell_loses_its_own_row_only() -> None:
    rows = read(f'id,features\na,"HP:0001250"x\nb,{"x" * 200_000}\nc,HP:0001250\n')
    assert [isinstance(row, Taken) for row in rows] == [False, False, True]


def test_ten_thousand_columns_are_read_and_few_are_named() -> None:
    header = ",".join(["id", "features", *(f"c{n}" for n in range(10_000))])
    row = taken(f"{header}\np1,HP:0001250{',x' * 10_000}\n")
    assert row.notes == ("left out, for the column is unknown: c0, c1, c2, c3, c4 and 9995 more",)


def test_a_row_of_many_problems_tells_the_first_twenty() -> None:
    (row,) = read(one("features", ";".join(["x"] * 20_000)))
    assert len(problems(row)) == 20


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["HP:0001250", "-HP:0000252", "BCKDK", "BCKDK=GRCh38:16-5-C-T", "hom", "p1", '"', "=1|x", "\x00", "no "]),
)  # fmt: skip
COLUMN_NAMES = st.permutations(
    ["id", "features", "genes", "variants", "zygosity", "sex", "onset", "disorders", "label", "x"]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(COLUMN_NAMES, st.lists(st.lists(CELLS, max_size=11), max_size=4), st.sampled_from(",;\t"))
def test_nothing_is_raised_and_nothing_is_lost(names: list[str], rows: list[list[str]], separator: str) -> None:
    """The property: each row is taken or rejected, by a column of the table or as a whole."""
    text = "\n".join(separator.join(row) for row in [names, *rows])
    for row in read(text):
        if isinstance(row, Rejected):
            assert row.problems
            assert {problem.path for problem in row.problems} <= {*names, "inheritance", ""}


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert read(text)
