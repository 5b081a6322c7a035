-- Tables of version 5: how much of each tenant's history is known to be in a backup.

CREATE TABLE backups (
    tenant   TEXT   NOT NULL PRIMARY KEY,
    -- Every commit up to this one is.
    position BIGINT NOT NULL
);
