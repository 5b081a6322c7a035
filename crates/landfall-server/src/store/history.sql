-- Tables of version 6: who changed what is asked for, document by document.

-- What was settled of a document's conflicts stands in its history.
CREATE INDEX conflicts_of_documents ON conflicts (tenant, collection, document);
