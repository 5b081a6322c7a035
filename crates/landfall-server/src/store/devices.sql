-- Tables of version 7: what devices say of themselves.

-- The last word of a device: its protocol and its condition, as JSON.
ALTER TABLE clients ADD COLUMN said TEXT;
-- When the oldest write was made that waited on it then.
ALTER TABLE clients ADD COLUMN oldest BIGINT;

CREATE UNIQUE INDEX clients_in_order ON clients (tenant, client);
