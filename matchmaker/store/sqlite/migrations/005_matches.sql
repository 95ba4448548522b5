-- Matches, whom to alert of them, and what came of asking. Content is JSON; columns beside it are what is looked for.
ALTER TABLE cases ADD COLUMN person TEXT; -- its owner among the people

ALTER TABLE cases ADD COLUMN family TEXT; -- by which an institution knows cases of one family; never leaves

ALTER TABLE peers ADD COLUMN per_month INTEGER DEFAULT 100; -- cases it may be asked about; NULL: any number

ALTER TABLE peers ADD COLUMN notify INTEGER NOT NULL DEFAULT 0; -- its contacts are told of matches by us

CREATE TABLE people (
    email TEXT PRIMARY KEY,
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE choices (
    subject TEXT PRIMARY KEY, -- an address, or a case's public id
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE matches (
    id TEXT PRIMARY KEY,
    answered_at REAL, -- of the answer that is kept
    forgotten_from REAL, -- when it was last seen, while nobody has looked after it
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX matches_by_sight ON matches (forgotten_from) WHERE forgotten_from IS NOT NULL;

CREATE TABLE match_genes (
    gene TEXT NOT NULL,
    match_id TEXT NOT NULL,
    PRIMARY KEY (gene, match_id)
) WITHOUT ROWID;

CREATE INDEX genes_by_match ON match_genes (match_id);

CREATE INDEX matches_by_answer ON matches (answered_at) WHERE answered_at IS NOT NULL;

CREATE TABLE sides (
    match_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    owner TEXT NOT NULL, -- '' where the match is hidden from the owner
    node TEXT NOT NULL,
    score REAL NOT NULL,
    status TEXT NOT NULL,
    changed_at REAL NOT NULL,
    PRIMARY KEY (match_id, case_id)
) WITHOUT ROWID;

CREATE INDEX sides_by_owner ON sides (owner, changed_at, match_id);

CREATE INDEX sides_by_node ON sides (owner, node, changed_at, match_id);

CREATE INDEX sides_by_case ON sides (case_id, changed_at);

CREATE TABLE alerts (
    match_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    due REAL NOT NULL,
    score REAL NOT NULL,
    mail TEXT, -- that carries it; NULL while it waits
    content TEXT NOT NULL,
    PRIMARY KEY (match_id, recipient, number)
) WITHOUT ROWID;

CREATE INDEX alerts_that_wait ON alerts (recipient, due, at) WHERE mail IS NULL;

CREATE INDEX alerts_by_mail ON alerts (mail, score) WHERE mail IS NOT NULL;

CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    alerts INTEGER NOT NULL,
    token TEXT, -- that stands for the recipient in links
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX mails_by_recipient ON mails (recipient, created_at);

CREATE INDEX mails_by_token ON mails (token) WHERE token IS NOT NULL;

CREATE INDEX mails_by_state ON mails (state, created_at);

CREATE TABLE inquiries (
    case_id TEXT NOT NULL,
    node TEXT NOT NULL,
    status TEXT NOT NULL,
    at REAL NOT NULL,
    asked_at REAL,
    content TEXT NOT NULL,
    PRIMARY KEY (case_id, node)
) WITHOUT ROWID;

CREATE INDEX inquiries_by_node ON inquiries (node, asked_at);

CREATE INDEX inquiries_that_wait ON inquiries (node, status, at, case_id);

CREATE INDEX work_by_kind ON work (kind, due, subject);

CREATE INDEX work_by_subject ON work (subject);

CREATE TABLE peer_health (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
) WITHOUT ROWID
