-- For many workers: cases alone count in the revision, which is gapless; work is claimed by lease; who changed which
-- case is kept; reference data is kept with the cases that are profiled with it.
INSERT INTO counter VALUES ('parties', 1), ('reference', 0);

-- identity: the same for all copies of a store; epoch: another one when everything in it was replaced.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO facts VALUES ('identity', lower(hex(randomblob(16)))), ('epoch', lower(hex(randomblob(16))));

CREATE TABLE audit (
    revision INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    public_id TEXT NOT NULL
);

CREATE TABLE work (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    revision INTEGER NOT NULL, -- of the change that queued it last
    due REAL NOT NULL,
    attempts INTEGER NOT NULL,
    holder TEXT,
    leased_until REAL NOT NULL,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;

CREATE INDEX work_by_due ON work (due);

CREATE TABLE reference (
    kind TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    imported_at REAL NOT NULL,
    content BLOB NOT NULL
);

ALTER TABLE ledger RENAME TO ledger_2;

CREATE TABLE ledger (
    line INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    asker TEXT NOT NULL,
    results INTEGER NOT NULL,
    genes TEXT NOT NULL -- JSON list of gene keys
);

INSERT INTO ledger (at, asker, results, genes) SELECT at, asker, results, genes FROM ledger_2 ORDER BY revision;

DROP TABLE ledger_2;

ALTER TABLE clients DROP COLUMN revision;

ALTER TABLE peers DROP COLUMN revision;
