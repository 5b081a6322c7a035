-- Tables of version 3: documents that are decided as wholes can be read as their writers saw them.

-- The write that such a document comes from; nothing in collections that decide each field alone.
ALTER TABLE documents ADD COLUMN whole_stamp TEXT;
ALTER TABLE documents ADD COLUMN whole_version BIGINT;

-- What such a document was before a commit, until nobody can have a write based on it any more.
CREATE TABLE earlier (
    tenant         TEXT   NOT NULL,
    collection     TEXT   NOT NULL,
    document       TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    -- The version that the commit made of it, and when.
    successor      BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    position       BIGINT NOT NULL,
    data           TEXT   NOT NULL,
    stamp          TEXT   NOT NULL,
    stamps         TEXT   NOT NULL,
    versions       TEXT   NOT NULL,
    delete_stamp   TEXT,
    delete_version BIGINT,
    PRIMARY KEY (tenant, collection, document, version)
);
