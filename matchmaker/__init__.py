"""A node of the rare-disease matchmaking exchange.

    cli, demo    people start here
    web          HTTP in; peers: HTTP out
    exchange     one running node; read exchange/service.py first
    alerts       what a mail says, when it is due, how it leaves;  accounts: how people sign in
    store        what is kept on disk;  intake: files -> patients
    policy       who may learn what
    records      what a node keeps, as values
    matching     how alike two cases are
    mme          the exchange's language;  ontology: HPO;  genome: genes and variants

Imports go down this list only; tests/test_architecture.py holds it.
"""

__version__ = "0.1.0"
