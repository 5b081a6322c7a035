-- Tables of version 6: who changed what is asked for, document by document.

-- What was settled of a document's conflicts stands in its history.
CREATE INDEX conflicts_of_documents ON conflicts (tenant, collection, document);

-- Where history is not kept for ever: some of a collection's, up to this commit, is gone.
CREATE TABLE expired (
    tenant     TEXT   NOT NULL,
    collection TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    PRIMARY KEY (tenant, collection)
);

-- The audit log is read in the order in which it was written: how many entries a tenant has, and which each is.
ALTER TABLE tenants ADD COLUMN entries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN entry BIGINT NOT NULL DEFAULT 0;
UPDATE audit SET entry = (SELECT COUNT(*) FROM audit a WHERE a.tenant = audit.tenant
    AND (a.at, a.position, a.ordinal) <= (audit.at, audit.position, audit.ordinal));
UPDATE tenants SET entries = (SELECT COUNT(*) FROM audit WHERE audit.tenant = tenants.tenant);
CREATE UNIQUE INDEX audit_in_order ON audit (tenant, entry);

-- Documents that were erased: nothing of them is left, and they never come back.
ALTER TABLE documents ADD COLUMN erased BIGINT;

-- The other entries of the audit log: what was erased, a person by the name they have since, or a document.
CREATE TABLE erasures (
    tenant     TEXT   NOT NULL,
    entry      BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    sub        TEXT   NOT NULL,
    pseudonym  TEXT,
    collection TEXT,
    document   TEXT,
    PRIMARY KEY (tenant, entry)
);
