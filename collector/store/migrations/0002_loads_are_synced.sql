-- A power cut must not take back how many rows were loaded: accepted = loaded + waiting + quarantined + dropped.
ALTER TABLE private.loads MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
