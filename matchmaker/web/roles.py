"""Who may ask for what: one word for each route."""

from enum import StrEnum


class Access(StrEnum):
    """Whom a route lets in."""

    PUBLIC = "public"  # anybody
    NODE = "node"  # another node, by its token
    DEPOSITOR = "depositor"  # a hospital's system, by its token
    LINK = "link"  # whoever has the mail that the link stands in
    SIGNED_IN = "signed in"  # any person
    CASES = "cases"  # clinicians and curators, each with the own cases
    OPERATOR = "operator"  # who runs the node, and sees no case
