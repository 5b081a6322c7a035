-- Tables of version 2: conflicts say all that a person needs to settle them, and what was settled is kept.

-- What the later arrival does: of two writes that conflict over a document as a whole, one is a delete.
ALTER TABLE conflicts ADD COLUMN op TEXT NOT NULL DEFAULT 'patch';
ALTER TABLE conflicts ADD COLUMN policy TEXT NOT NULL DEFAULT 'last-write-wins';
ALTER TABLE conflicts ADD COLUMN client TEXT NOT NULL DEFAULT '';
-- Whoever made the write that was met, and which it was.
ALTER TABLE conflicts ADD COLUMN met_sub TEXT NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN met_client TEXT NOT NULL DEFAULT '';
ALTER TABLE conflicts ADD COLUMN met_mutation TEXT;

UPDATE conflicts SET
    op = CASE WHEN path = '' AND met_value IS NOT NULL THEN 'delete' ELSE 'patch' END,
    client = COALESCE((SELECT client FROM writers WHERE writer = substr(stamp, 19)), ''),
    met_sub = COALESCE((SELECT sub FROM writers WHERE writer = substr(met_stamp, 19)), ''),
    met_client = COALESCE((SELECT client FROM writers WHERE writer = substr(met_stamp, 19)), '');

-- Append-only: who settled which conflict, how, and what that changed.
CREATE TABLE audit (
    tenant           TEXT   NOT NULL,
    -- The conflict.
    position         BIGINT NOT NULL,
    ordinal          BIGINT NOT NULL,
    at               BIGINT NOT NULL,
    sub              TEXT   NOT NULL,
    choice           TEXT   NOT NULL,
    -- The value that was given, where it is neither of the two.
    value            TEXT,
    -- What was visible at the path before and after.
    before           TEXT,
    after            TEXT,
    -- The version of the document that this made; nothing where what stood was kept.
    version          BIGINT,
    PRIMARY KEY (tenant, position, ordinal)
);
