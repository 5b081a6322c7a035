-- Tables of version 4: of verdicts that their devices have stored only the ends are kept.

-- Neighbouring mutations of one writer that ended alike and have no receipts any more.
CREATE TABLE settled (
    tenant TEXT   NOT NULL,
    writer TEXT   NOT NULL,
    first  BIGINT NOT NULL,
    last   BIGINT NOT NULL,
    -- Why they were refused; nothing where they are in.
    code   TEXT,
    -- When the last of them was settled.
    at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, writer, first)
);

-- The stamp that a mutation was given, which its receipt says no longer.
ALTER TABLE history ADD COLUMN stamp TEXT;

-- What was closed by its name alone never had a hash.
UPDATE receipts SET hash = '' WHERE hash = '0000000000000000000000000000000000000000000000000000000000000000';
