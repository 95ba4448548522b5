-- What people sign in with, who is signed in, and in which order their pages list cases.
CREATE TABLE credentials (
    email TEXT PRIMARY KEY,
    subject TEXT, -- "ISSUER SUBJECT" at an OpenID provider
    invitation TEXT, -- digest of the link by which a password is set
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX credentials_by_subject ON credentials (subject) WHERE subject IS NOT NULL;

CREATE INDEX credentials_by_invitation ON credentials (invitation) WHERE invitation IS NOT NULL;

CREATE TABLE sessions (
    digest TEXT PRIMARY KEY, -- SHA-256 of the token
    email TEXT NOT NULL,
    created_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    content TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX sessions_by_email ON sessions (email);

CREATE INDEX cases_by_owner_time ON cases (owner, updated_at, public_id) WHERE patient IS NOT NULL;

CREATE INDEX cases_by_person_time ON cases (person, owner, updated_at, public_id) WHERE person IS NOT NULL
