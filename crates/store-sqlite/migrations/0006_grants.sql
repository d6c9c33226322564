-- By whose authority a key or a session was made; of those before, it is taken for the platform's.
ALTER TABLE api_keys ADD COLUMN granted_kind TEXT NOT NULL DEFAULT 'platform';
ALTER TABLE api_keys ADD COLUMN granted_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN granted_kind TEXT NOT NULL DEFAULT 'platform';
ALTER TABLE sessions ADD COLUMN granted_id TEXT NOT NULL DEFAULT '';
-- Whose key or session it was that did something. The platform's where that is not known: it is told to nobody else.
ALTER TABLE audit ADD COLUMN actor_owner_kind TEXT NOT NULL DEFAULT 'platform';
ALTER TABLE audit ADD COLUMN actor_owner_id TEXT NOT NULL DEFAULT '';
