-- For every day {d} that has its tables: whose an event is, stored with it. Until now all ids of a payload were taken for that.
-- The types are those that were of another scope than the location's when this was written.
ALTER TABLE events_{d} ADD COLUMN scope INTEGER NOT NULL DEFAULT 0;
UPDATE events_{d} SET scope = 1
    WHERE type IN ('LocationCreate', 'LocationUpdate') OR (type = 'UserCreate' AND location_id IS NULL);
UPDATE events_{d} SET scope = 2
    WHERE type IN ('AppInstall', 'AppUninstall', 'ExternalAuthConnected', 'PlanChange');
DROP INDEX events_{d}_location;
DROP INDEX events_{d}_company;
CREATE INDEX events_{d}_location ON events_{d} (location_id, scope) WHERE location_id IS NOT NULL;
CREATE INDEX events_{d}_company ON events_{d} (company_id) WHERE company_id IS NOT NULL AND scope = 1;
