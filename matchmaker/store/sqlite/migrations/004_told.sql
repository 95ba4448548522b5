-- What may be told, and what was: collections, agreements with clients, a ledger in chains, dealings with organisations.
CREATE TABLE collections (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL -- JSON
) WITHOUT ROWID;

ALTER TABLE clients ADD COLUMN purpose TEXT NOT NULL DEFAULT 'clinical';

ALTER TABLE clients ADD COLUMN per_month INTEGER DEFAULT 100; -- NULL: as many as it likes

ALTER TABLE clients ADD COLUMN contact TEXT;

INSERT INTO facts VALUES ('secret', lower(hex(randomblob(32))));

CREATE TABLE dealings (
    organisation TEXT NOT NULL,
    number INTEGER NOT NULL, -- from 1, of one organisation without a gap
    at REAL NOT NULL,
    content TEXT NOT NULL, -- JSON
    PRIMARY KEY (organisation, number)
) WITHOUT ROWID;

CREATE TABLE chains (
    name TEXT PRIMARY KEY,
    first INTEGER NOT NULL,
    base TEXT NOT NULL,
    lines INTEGER NOT NULL,
    head TEXT NOT NULL
) WITHOUT ROWID;

ALTER TABLE ledger RENAME TO ledger_3; -- its lines are chained, and it is dropped, by the program

CREATE TABLE ledger (
    chain TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    case_id TEXT NOT NULL,
    level TEXT NOT NULL,
    purpose TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (chain, number)
) WITHOUT ROWID;

CREATE INDEX ledger_by_case ON ledger (case_id, at) WHERE case_id <> '';

CREATE INDEX ledger_of_operators ON ledger (kind, at) WHERE kind NOT IN ('told', 'shown', 'asked', 'answered')
