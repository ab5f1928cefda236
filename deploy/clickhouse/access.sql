-- The same users as users.d/telemetry.xml, for a server whose users are made by statements (access_management).
-- Use one or the other. It needs config.d/telemetry.xml as well. Run it as an administrator, then set each password:
--
--     ALTER USER ingest IDENTIFIED WITH sha256_hash BY '...'
--
-- It could not be run where this is developed: the server of the tests has no access management at run time. A test
-- holds its grants to those of the file, which is tried.

CREATE SETTINGS PROFILE IF NOT EXISTS telemetry_collector SETTINGS async_insert = 0, log_queries = 0;

CREATE SETTINGS PROFILE IF NOT EXISTS telemetry_reader SETTINGS
    readonly = 2 CONST,
    final = 1,
    log_queries = 0 CONST,
    max_execution_time = 30 MIN 1 MAX 30,
    max_memory_usage = 2000000000 MIN 1 MAX 2000000000,
    max_rows_to_read = 200000000 MIN 1 MAX 200000000,
    max_result_rows = 10000000 MIN 1 MAX 10000000,
    max_result_bytes = 2000000000 MIN 1 MAX 2000000000,
    max_threads = 4 MIN 1 MAX 4,
    max_concurrent_queries_for_user = 20 CONST,
    allow_ddl CONST,
    allow_introspection_functions CONST;

CREATE ROLE IF NOT EXISTS pm;
CREATE USER IF NOT EXISTS owner IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS ingest IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS publisher IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_collector';
CREATE USER IF NOT EXISTS reports IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE 'telemetry_reader';

GRANT SELECT ON public.* TO pm;
GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON private.* TO owner;
GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON public.* TO owner;
GRANT TABLE ENGINE ON MergeTree TO owner;
GRANT TABLE ENGINE ON ReplacingMergeTree TO owner;
GRANT TABLE ENGINE ON Distributed TO owner;
GRANT SELECT ON system.* TO owner;
GRANT INSERT ON private.reports TO ingest;
GRANT INSERT ON private.all_reports TO ingest;
GRANT SHOW TABLES ON private.all_counted TO ingest;
GRANT INSERT, SELECT ON private.loads TO ingest;
GRANT INSERT, SELECT ON private.nodes TO ingest;
GRANT INSERT, SELECT ON private.peppers TO ingest;
GRANT SELECT ON private.migrations TO ingest;
GRANT SELECT ON public.* TO ingest;
GRANT SELECT ON system.processes TO ingest;
GRANT SELECT, INSERT, ALTER DELETE, ALTER MOVE PARTITION, CREATE TABLE, DROP TABLE ON private.* TO publisher;
GRANT SELECT, INSERT, ALTER DELETE ON public.* TO publisher;
GRANT TABLE ENGINE ON MergeTree TO publisher;
GRANT TABLE ENGINE ON ReplacingMergeTree TO publisher;
GRANT TABLE ENGINE ON Distributed TO publisher;
GRANT SELECT ON system.processes TO publisher;
GRANT pm TO reports;

-- One product manager; HOST NONE and no password until both are set.
-- CREATE USER ann IDENTIFIED WITH sha256_hash BY '...' DEFAULT ROLE pm SETTINGS PROFILE 'telemetry_reader';
-- GRANT pm TO ann; and the quota:
CREATE QUOTA IF NOT EXISTS telemetry_person KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 300, errors = 60,
    execution_time = 120 TO pm;
