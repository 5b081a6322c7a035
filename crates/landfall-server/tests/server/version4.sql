-- A file as the server of tables of version 4 left it while it still used sqlx: what it holds, and what SQLite was told of it.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1280197702;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
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
INSERT INTO "audit" VALUES('default',3,0,1796078684887,'cora','lost',NULL,'"from ada"','"from cora"',4);
CREATE TABLE clients (
    client     TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL
);
INSERT INTO "clients" VALUES('client-1','default','ada',1796078684847,1796078684856);
INSERT INTO "clients" VALUES('client-3','default','cora',1796078684850,1796078684850);
INSERT INTO "clients" VALUES('client-4','north','nora',1796078684866,1796078684866);
INSERT INTO "clients" VALUES('server-9cf7159d3c266f05feaaae279f2de229','default','cora',1796078684887,1796078684887);
CREATE TABLE commits (
    tenant   TEXT   NOT NULL,
    position BIGINT NOT NULL,
    nonce    BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, position)
);
INSERT INTO "commits" VALUES('default',1,7830125367269149706,1796078684847);
INSERT INTO "commits" VALUES('default',2,-7228768585349415343,1796078684850);
INSERT INTO "commits" VALUES('default',3,8613365219541783936,1796078684856);
INSERT INTO "commits" VALUES('north',1,-7065121684012582295,1796078684866);
INSERT INTO "commits" VALUES('default',4,-4380009124514897366,1796078684887);
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
    at         BIGINT NOT NULL, op TEXT NOT NULL DEFAULT 'patch', policy TEXT NOT NULL DEFAULT 'last-write-wins', client TEXT NOT NULL DEFAULT '', met_sub TEXT NOT NULL DEFAULT '', met_client TEXT NOT NULL DEFAULT '', met_mutation TEXT,
    PRIMARY KEY (tenant, position, ordinal)
);
INSERT INTO "conflicts" VALUES('default',3,0,'visits','a','/notes','00000000000000000000000000000001:4','ada',1,'0192f0c1a2b3-0004-00000000000000000000000000000001','"from ada"','0192f0c1a2b3-0001-00000000000000000000000000000003','"from cora"',1796078684856,'patch','last-write-wins','client-1','cora','client-3','00000000000000000000000000000003:1');
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
    delete_version BIGINT, whole_stamp TEXT, whole_version BIGINT,
    PRIMARY KEY (tenant, collection, document)
);
INSERT INTO "documents" VALUES('default','visits','a',4,4,0,0,'{"inspector":"ada","notes":"from cora"}','01a22ea1cad7-0000-9cf7159d3c266f05feaaae279f2de229','{"/inspector":"0192f0c1a2b3-0001-00000000000000000000000000000001"}','{"common":4,"listed":{"/inspector":1}}',NULL,NULL,NULL,NULL);
INSERT INTO "documents" VALUES('default','visits','b',1,1,1,0,'{"inspector":"ada","notes":"two"}','0192f0c1a2b3-0002-00000000000000000000000000000001','{}','{"common":1,"listed":{}}',NULL,NULL,NULL,NULL);
INSERT INTO "documents" VALUES('default','visits','c',2,3,1,1,'{"inspector":"ada","notes":"3"}','0192f0c1a2b3-0003-00000000000000000000000000000001','{}','{"common":1,"listed":{}}','0192f0c1a2b3-0005-00000000000000000000000000000001',2,NULL,NULL);
INSERT INTO "documents" VALUES('north','visits','a',1,1,0,0,'{"inspector":"nora"}','0192f0c1a2b3-0001-00000000000000000000000000000004','{}','{"common":1,"listed":{}}',NULL,NULL,NULL,NULL);
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
    visible_before TEXT, stamp TEXT,
    PRIMARY KEY (tenant, collection, document, version)
);
INSERT INTO "history" VALUES('default','visits','a',1,1,1796078684847,'ada','client-1','{"id": "00000000000000000000000000000001:1", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "a", "op": "create", "fields": [{"path": "/inspector", "op": "set", "value": "ada"}, {"path": "/notes", "op": "set", "value": "\u00c4 nul \u0000 inside"}], "base": 0, "after": null, "stamp": "0192f0c1a2b3-0001-00000000000000000000000000000001", "schema": 1}',NULL,'0192f0c1a2b3-0001-00000000000000000000000000000001');
INSERT INTO "history" VALUES('default','visits','b',1,1,1796078684847,'ada','client-1','{"id": "00000000000000000000000000000001:2", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "b", "op": "create", "fields": [{"path": "/inspector", "op": "set", "value": "ada"}, {"path": "/notes", "op": "set", "value": "two"}], "base": 0, "after": null, "stamp": "0192f0c1a2b3-0002-00000000000000000000000000000001", "schema": 1}',NULL,'0192f0c1a2b3-0002-00000000000000000000000000000001');
INSERT INTO "history" VALUES('default','visits','c',1,1,1796078684847,'ada','client-1','{"id": "00000000000000000000000000000001:3", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "c", "op": "create", "fields": [{"path": "/inspector", "op": "set", "value": "ada"}, {"path": "/notes", "op": "set", "value": "3"}], "base": 0, "after": null, "stamp": "0192f0c1a2b3-0003-00000000000000000000000000000001", "schema": 1}',NULL,'0192f0c1a2b3-0003-00000000000000000000000000000001');
INSERT INTO "history" VALUES('default','visits','a',2,2,1796078684850,'cora','client-3','{"id": "00000000000000000000000000000003:1", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "a", "op": "patch", "fields": [{"path": "/notes", "op": "set", "value": "from cora"}], "base": 1, "after": null, "stamp": "0192f0c1a2b3-0001-00000000000000000000000000000003", "schema": 1}',NULL,'0192f0c1a2b3-0001-00000000000000000000000000000003');
INSERT INTO "history" VALUES('default','visits','a',3,3,1796078684856,'ada','client-1','{"id": "00000000000000000000000000000001:4", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "a", "op": "patch", "fields": [{"path": "/notes", "op": "set", "value": "from ada"}], "base": 1, "after": null, "stamp": "0192f0c1a2b3-0004-00000000000000000000000000000001", "schema": 1}',NULL,'0192f0c1a2b3-0004-00000000000000000000000000000001');
INSERT INTO "history" VALUES('default','visits','c',2,3,1796078684856,'ada','client-1','{"id": "00000000000000000000000000000001:5", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "c", "op": "delete", "fields": [], "base": 1, "after": null, "stamp": "0192f0c1a2b3-0005-00000000000000000000000000000001", "schema": 1}',NULL,'0192f0c1a2b3-0005-00000000000000000000000000000001');
INSERT INTO "history" VALUES('north','visits','a',1,1,1796078684866,'nora','client-4','{"id": "00000000000000000000000000000004:1", "group": null, "replaces": null, "needs": [], "firstSentAt": null, "collection": "visits", "document": "a", "op": "create", "fields": [{"path": "/inspector", "op": "set", "value": "nora"}], "base": 0, "after": null, "stamp": "0192f0c1a2b3-0001-00000000000000000000000000000004", "schema": 1}',NULL,'0192f0c1a2b3-0001-00000000000000000000000000000004');
INSERT INTO "history" VALUES('default','visits','a',4,4,1796078684887,'cora','server-9cf7159d3c266f05feaaae279f2de229','{"id":"9cf7159d3c266f05feaaae279f2de229:1","group":null,"replaces":null,"needs":[],"firstSentAt":null,"collection":"visits","document":"a","op":"patch","fields":[{"path":"/notes","op":"set","value":"from cora"}],"base":3,"after":null,"stamp":"01a22ea1cad7-0000-9cf7159d3c266f05feaaae279f2de229","schema":0}',NULL,'01a22ea1cad7-0000-9cf7159d3c266f05feaaae279f2de229');
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO "meta" VALUES('epoch','d59f96a11cf662d792a3a0047862a87b');
INSERT INTO "meta" VALUES('cursor_key','dbd213d68d96b7fc3e1584e86a16fe9b');
CREATE TABLE receipts (
    tenant TEXT   NOT NULL,
    writer TEXT   NOT NULL,
    n      BIGINT NOT NULL,
    hash   TEXT   NOT NULL,
    result TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, writer, n)
);
INSERT INTO "receipts" VALUES('default','00000000000000000000000000000003',1,'7cfad74bef7113e484c04e3bc99855ae542e3e36af25e59a0c1d143e93c8a710','{"id":"00000000000000000000000000000003:1","verdict":"applied","code":null,"message":null,"field":null,"because":null,"version":2,"previous":1,"position":2,"stamp":"0192f0c1a2b3-0001-00000000000000000000000000000003"}',1796078684850);
INSERT INTO "receipts" VALUES('default','00000000000000000000000000000001',4,'e2cd8cb07565cc9370b27814f754c0de4ecc85ea98ffb627080d7e6c13ecdc53','{"id":"00000000000000000000000000000001:4","verdict":"conflict","code":null,"message":null,"field":null,"because":null,"version":3,"previous":2,"position":3,"stamp":"0192f0c1a2b3-0004-00000000000000000000000000000001"}',1796078684856);
INSERT INTO "receipts" VALUES('default','00000000000000000000000000000001',5,'775831cbdc7da66eb81c9edde8c6d1954b5c47b5d062eaf8496b2548f513dac7','{"id":"00000000000000000000000000000001:5","verdict":"applied","code":null,"message":null,"field":null,"because":null,"version":2,"previous":1,"position":3,"stamp":"0192f0c1a2b3-0005-00000000000000000000000000000001"}',1796078684856);
INSERT INTO "receipts" VALUES('default','00000000000000000000000000000001',6,'729f31c6cdca7aaaa620300f81ac77b9695ce5a151b4381014f862fa1a4f8756','{"id":"00000000000000000000000000000001:6","verdict":"rejected","code":"not_found","message":"there is no such document","field":null,"because":null,"version":0,"previous":0,"position":0,"stamp":null}',1796078684856);
INSERT INTO "receipts" VALUES('north','00000000000000000000000000000004',1,'32a94fcd08cfe61c10943ebf45054491e7f17ea9d1f9acdb641eeb51801a1f8b','{"id":"00000000000000000000000000000004:1","verdict":"applied","code":null,"message":null,"field":null,"because":null,"version":1,"previous":0,"position":1,"stamp":"0192f0c1a2b3-0001-00000000000000000000000000000004"}',1796078684866);
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
INSERT INTO "settled" VALUES('default','00000000000000000000000000000001',1,3,NULL,1796078684856);
CREATE TABLE tenants (
    tenant   TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
INSERT INTO "tenants" VALUES('default',4);
INSERT INTO "tenants" VALUES('north',1);
CREATE TABLE writers (
    writer     TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    sub        TEXT   NOT NULL,
    client     TEXT   NOT NULL REFERENCES clients (client),
    first_seen BIGINT NOT NULL
);
INSERT INTO "writers" VALUES('00000000000000000000000000000001','default','ada','client-1',1796078684847);
INSERT INTO "writers" VALUES('00000000000000000000000000000003','default','cora','client-3',1796078684850);
INSERT INTO "writers" VALUES('00000000000000000000000000000004','north','nora','client-4',1796078684866);
INSERT INTO "writers" VALUES('9cf7159d3c266f05feaaae279f2de229','default','cora','server-9cf7159d3c266f05feaaae279f2de229',1796078684887);
CREATE UNIQUE INDEX documents_in_order ON documents (tenant, position, ordinal);
COMMIT;
