-- What a release was made with, in full: the noise, the gate and the menu itself, not only its fingerprint.
ALTER TABLE public.releases ADD COLUMN IF NOT EXISTS gate_sigmas UInt32 AFTER k;
ALTER TABLE public.releases ADD COLUMN IF NOT EXISTS report_sigma UInt32 AFTER gate_sigmas;
ALTER TABLE public.releases ADD COLUMN IF NOT EXISTS licence_sigma UInt32 AFTER report_sigma;
ALTER TABLE public.releases ADD COLUMN IF NOT EXISTS so_far_sigma UInt32 AFTER licence_sigma;

CREATE TABLE IF NOT EXISTS public.menus
(
    fingerprint String,
    menu String
)
ENGINE = ReplacingMergeTree
ORDER BY fingerprint
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Each period's cells are drawn into a table of their own, see publish/release.py.
DROP TABLE IF EXISTS private.cells_staging;
