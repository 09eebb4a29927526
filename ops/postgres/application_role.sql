-- The role that the desk's processes log in as: it reads and writes rows, and owns no table. So it can neither TRUNCATE
-- one nor switch off the triggers that keep the ledger append-only, whatever somebody makes a process do.
--
-- Run it as the owner of the tables, in the ledger's database, once and after each `manage.py migrate`:
--   psql -v ON_ERROR_STOP=1 -f ops/postgres/application_role.sql && psql -c '\password velox_app'
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'velox_app') THEN
        CREATE ROLE velox_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO velox_app;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM velox_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO velox_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM velox_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO velox_app;
