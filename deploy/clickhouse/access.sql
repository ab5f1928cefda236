-- The same users as users.d/telemetry.xml, for a server whose users are made by statements (access_management).
-- Use one or the other, and config.d/telemetry.xml with either. Run it as an administrator:
--
--     clickhouse-client --multiquery < access.sql
--
-- Nobody can log in yet. For each user, with the digest that `printf %s "$password" | sha256sum` prints:
--
--     ALTER USER ingest IDENTIFIED WITH sha256_hash BY '<digest>' HOST IP '10.0.0.0/24';
--
-- It could not be run where this is developed: the server of the tests makes no users at run time. Tests hold its
-- grants and settings to those of the file, which are tried, and have a server read its statements.

CREATE SETTINGS PROFILE IF NOT EXISTS telemetry_collector SETTINGS
    async_insert = 0,
    log_queries = 0;

CREATE SETTINGS PROFILE IF NOT EXISTS telemetry_reader SETTINGS
    readonly = 1,
    final = 1,
    log_queries = 0,
    allow_introspection_functions = 0,
    async_insert = 0,
    distributed_foreground_insert = 1,
    skip_unavailable_shards = 0,
    max_execution_time = 30 MIN 1 MAX 30 CHANGEABLE_IN_READONLY,
    max_memory_usage = 2000000000,
    max_rows_to_read = 200000000,
    max_result_rows = 10000000 MIN 1 MAX 10000000 CHANGEABLE_IN_READONLY,
    max_result_bytes = 2000000000,
    max_threads = 4,
    max_memory_usage_for_user = 4000000000,
    max_temporary_data_on_disk_size_for_user = 4000000000,
    max_concurrent_queries_for_user = 20,
    max_block_size MIN 1 MAX 1000000 CHANGEABLE_IN_READONLY,
    max_query_size MIN 1 MAX 1000000000 CHANGEABLE_IN_READONLY;

CREATE ROLE IF NOT EXISTS pm;
CREATE USER IF NOT EXISTS owner IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS ingest IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS publisher IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS reports IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_reader';

GRANT SELECT ON public.* TO pm;

GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP DATABASE, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW ON private.* TO owner;
GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP DATABASE, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW ON public.* TO owner;
GRANT TABLE ENGINE ON MergeTree TO owner;
GRANT TABLE ENGINE ON ReplacingMergeTree TO owner;
GRANT TABLE ENGINE ON ReplicatedMergeTree TO owner;
GRANT TABLE ENGINE ON ReplicatedReplacingMergeTree TO owner;
GRANT TABLE ENGINE ON Distributed TO owner;
GRANT SELECT ON system.clusters TO owner;
GRANT SELECT(database, table, name, active) ON system.parts TO owner;
GRANT SELECT(database, table) ON system.detached_parts TO owner;
GRANT SELECT(query_id, user, query) ON system.processes TO owner;

GRANT INSERT ON private.reports TO ingest;
GRANT INSERT ON private.all_reports TO ingest;
GRANT SHOW TABLES ON private.all_counted TO ingest;
GRANT INSERT, SELECT ON private.loads TO ingest;
GRANT INSERT, SELECT ON private.nodes TO ingest;
GRANT INSERT, SELECT ON private.peppers TO ingest;
GRANT SELECT ON private.migrations TO ingest;
GRANT SELECT ON public.* TO ingest;
GRANT SELECT(query_id, user, query) ON system.processes TO ingest;

GRANT SELECT, INSERT, ALTER DELETE ON private.reports TO publisher;
GRANT SELECT, INSERT, ALTER DELETE ON private.counted TO publisher;
GRANT SELECT ON private.all_reports TO publisher;
GRANT SELECT ON private.all_counted TO publisher;
GRANT SELECT ON private.loads TO publisher;
GRANT SELECT ON private.nodes TO publisher;
GRANT SELECT, ALTER DELETE ON private.peppers TO publisher;
GRANT SELECT ON private.migrations TO publisher;
GRANT SELECT, INSERT, ALTER DELETE, CREATE TABLE, DROP TABLE ON private.closing_* TO publisher;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE ON private.counting_* TO publisher;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE ON private.drawing_* TO publisher;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE ON private.drawn_* TO publisher;
GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE ON private.publishing_* TO publisher;
GRANT SELECT, INSERT, ALTER DELETE, CREATE TABLE, DROP TABLE ON private.backing_* TO publisher;
GRANT SELECT, INSERT, ALTER DELETE ON public.cells TO publisher;
GRANT SELECT, INSERT ON public.menus TO publisher;
GRANT SELECT, INSERT ON public.releases TO publisher;
GRANT TABLE ENGINE ON MergeTree TO publisher;
GRANT TABLE ENGINE ON ReplacingMergeTree TO publisher;
GRANT TABLE ENGINE ON ReplicatedMergeTree TO publisher;
GRANT TABLE ENGINE ON ReplicatedReplacingMergeTree TO publisher;
GRANT TABLE ENGINE ON Distributed TO publisher;
GRANT SELECT(query_id, user, query) ON system.processes TO publisher;

GRANT pm TO reports;

-- A collector ends its own statements; those of others it does not see.
CREATE ROW POLICY IF NOT EXISTS telemetry_own_statements ON system.processes
    USING user = currentUser() TO owner, ingest, publisher;

-- Of one person; the dashboard answers everybody and has none. Each ALTER QUOTA names all persons anew.
CREATE QUOTA IF NOT EXISTS telemetry_person KEYED BY user_name
    FOR INTERVAL 1 minute MAX queries = 300, errors = 60, execution_time = 120;

-- A product manager. The profile stands at the user: a role's settings do not bind somebody who puts the role down.
--
--     CREATE USER ann IDENTIFIED WITH sha256_hash BY '<digest>' HOST IP '10.0.0.0/24'
--         SETTINGS PROFILE 'telemetry_reader';
--     GRANT pm TO ann;
--     ALTER USER ann DEFAULT ROLE pm;
--     ALTER QUOTA telemetry_person TO ann, bob;
