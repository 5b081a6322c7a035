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
