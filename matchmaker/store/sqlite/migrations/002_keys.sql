-- Every case has a key, by which an index knows it. SQLite adds no column that is unique or not null to a table.
ALTER TABLE cases RENAME TO cases_1;

DROP INDEX cases_by_revision;

CREATE TABLE cases (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    public_id TEXT NOT NULL UNIQUE,
    key INTEGER NOT NULL UNIQUE, -- records.case.key_of the public id
    sharing TEXT NOT NULL,
    patient TEXT, -- JSON; NULL once withdrawn
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE INDEX cases_by_revision ON cases (revision);

CREATE INDEX live_cases ON cases (revision, updated_at) WHERE patient IS NOT NULL;

INSERT INTO cases (key, owner, id, public_id, sharing, patient, created_at, updated_at, revision)
    SELECT key_of(public_id), owner, id, public_id, sharing, patient, created_at, updated_at, revision FROM cases_1;

DROP TABLE cases_1;
