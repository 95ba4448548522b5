-- Cases, clients, peers and the ledger.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO counter VALUES ('revision', 0), ('requests', 0), ('results', 0);

CREATE TABLE cases (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    public_id TEXT NOT NULL UNIQUE,
    sharing TEXT NOT NULL,
    patient TEXT, -- JSON; NULL once withdrawn
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE INDEX cases_by_revision ON cases (revision);

CREATE TABLE clients (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    institution TEXT,
    country TEXT,
    created_at REAL NOT NULL,
    revoked_at REAL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE peers (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    country TEXT NOT NULL,
    token_file TEXT NOT NULL,
    version TEXT NOT NULL,
    mitochondrion TEXT NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ledger (
    revision INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    asker TEXT NOT NULL,
    results INTEGER NOT NULL,
    genes TEXT NOT NULL -- JSON list of gene keys
);

CREATE TABLE matched_genes (
    gene TEXT PRIMARY KEY
) WITHOUT ROWID;
