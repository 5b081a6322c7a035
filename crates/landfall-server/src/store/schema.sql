-- Text and 64-bit integers only, so that other databases can take the same tables.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The counter that every push of a tenant holds from beginning to end.
CREATE TABLE tenants (
    tenant   TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);

-- A commit can be told from another one that took its position after a rollback.
CREATE TABLE commits (
    tenant   TEXT   NOT NULL,
    position BIGINT NOT NULL,
    nonce    BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, position)
);

CREATE TABLE documents (
    tenant         TEXT   NOT NULL,
    collection     TEXT   NOT NULL,
    document       TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    -- The commit that changed it last, and its place among the documents of that commit.
    position       BIGINT NOT NULL,
    ordinal        BIGINT NOT NULL,
    -- Whether a delete hides it. All fields stay until the horizon, in case the delete loses.
    hidden         BIGINT NOT NULL,
    data           TEXT   NOT NULL,
    stamp          TEXT   NOT NULL,
    stamps         TEXT   NOT NULL,
    versions       TEXT   NOT NULL,
    delete_stamp   TEXT,
    delete_version BIGINT,
    PRIMARY KEY (tenant, collection, document)
);

CREATE UNIQUE INDEX documents_in_order ON documents (tenant, position, ordinal);

-- The verdict on every mutation, for resends.
CREATE TABLE receipts (
    tenant TEXT   NOT NULL,
    writer TEXT   NOT NULL,
    n      BIGINT NOT NULL,
    hash   TEXT   NOT NULL,
    result TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, writer, n)
);

-- Whoever uses a client or a writer first owns it, over all tenants.
CREATE TABLE clients (
    client     TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL
);

CREATE TABLE writers (
    writer     TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    client     TEXT   NOT NULL REFERENCES clients (client),
    first_seen BIGINT NOT NULL
);

-- Append-only: what every accepted mutation said.
CREATE TABLE history (
    tenant        TEXT   NOT NULL,
    collection    TEXT   NOT NULL,
    document      TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    position      BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    sub           TEXT   NOT NULL,
    client        TEXT   NOT NULL,
    mutation      TEXT   NOT NULL,
    visible_before TEXT,
    PRIMARY KEY (tenant, collection, document, version)
);

CREATE TABLE conflicts (
    tenant     TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    ordinal    BIGINT NOT NULL,
    collection TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    path       TEXT   NOT NULL,
    mutation   TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    won        BIGINT NOT NULL,
    stamp      TEXT   NOT NULL,
    value      TEXT,
    met_stamp  TEXT   NOT NULL,
    met_value  TEXT,
    at         BIGINT NOT NULL,
    PRIMARY KEY (tenant, position, ordinal)
);
