-- What was received and not yet closed. One row a report; a retried report has the same report_id, and
-- report_id alone orders the table: a field blanked between two tries must not make two rows.
-- fsync settings: the spool forgets a segment once the insert returns. No TTL: it would drop rows of a clock
-- that is far behind while they are inserted; the closing of days empties this table.
CREATE TABLE IF NOT EXISTS private.reports
(
    report_id UUID,
    received_on Date,
    report LowCardinality(String),
    source LowCardinality(String),
    product LowCardinality(String),
    product_version LowCardinality(String),
    version_line LowCardinality(String),
    os_version LowCardinality(String),
    instance_type LowCardinality(String),
    language LowCardinality(String),
    licence UUID
)
ENGINE = ReplacingMergeTree
PARTITION BY received_on
ORDER BY report_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- De-duplicated reports on the day they count in. `keyed` stays when a licence leaves the measure.
CREATE TABLE IF NOT EXISTS private.counted
(
    counted_on Date,
    report_id UUID,
    report LowCardinality(String),
    source LowCardinality(String),
    product LowCardinality(String),
    product_version LowCardinality(String),
    version_line LowCardinality(String),
    os_version LowCardinality(String),
    instance_type LowCardinality(String),
    language LowCardinality(String),
    keyed Bool,
    licence UUID
)
ENGINE = MergeTree
PARTITION BY counted_on
ORDER BY (report, product, product_version, os_version, instance_type, language)
TTL counted_on + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Segments that were loaded, for `collector status`: names hold a day and random letters, nothing else.
CREATE TABLE IF NOT EXISTS private.loads
(
    segment String,
    received_on Date,
    rows UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_on)
ORDER BY segment
TTL received_on + INTERVAL 400 DAY;

-- Published cells: protected already, all that people may see. `breakdown` names the fields that a cell
-- is broken down by, joined by "+"; the columns of other fields are empty.
CREATE TABLE IF NOT EXISTS public.cells
(
    grain LowCardinality(String),
    period Date,
    measure LowCardinality(String),
    breakdown LowCardinality(String),
    product LowCardinality(String),
    product_version LowCardinality(String),
    version_line LowCardinality(String),
    source LowCardinality(String),
    os_version LowCardinality(String),
    instance_type LowCardinality(String),
    language LowCardinality(String),
    value UInt64,
    error UInt32
)
ENGINE = MergeTree
PARTITION BY (grain, period)
ORDER BY (measure, breakdown, product, product_version, version_line, source, os_version, instance_type, language)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS private.cells_staging AS public.cells;

-- One row for each closed period, whether or not any cell of it was released.
CREATE TABLE IF NOT EXISTS public.releases
(
    grain LowCardinality(String),
    period Date,
    released_on Date,
    menu String,
    profile LowCardinality(String),
    k UInt32,
    complete Bool,
    code_version String
)
ENGINE = ReplacingMergeTree
ORDER BY (grain, period)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
