-- The collectors that take reports into this store: how far each has handed over what it received, so that a day is not
-- closed while one of them still holds reports of it.
CREATE TABLE IF NOT EXISTS private.nodes
(
    node String,
    loaded_past Date,
    waiting UInt64,
    has_left Bool,
    at DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(at)
ORDER BY node
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Fingerprints of the quarters' peppers: collectors with different ones would count a licence twice.
CREATE TABLE IF NOT EXISTS private.peppers
(
    quarter String,
    fingerprint String,
    noted_on Date
)
ENGINE = ReplacingMergeTree
ORDER BY (quarter, fingerprint)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
