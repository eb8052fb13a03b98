-- Writes are counted ahead, and their pauses are measured on the clock that all replicas share.

ALTER TABLE writers ADD COLUMN booked_until timestamptz;
COMMENT ON COLUMN writers.booked_until IS 'How far the time ahead is filled by the writes made: each fills a part of an hour.';
COMMENT ON COLUMN writers.free_at IS 'No write before this time, on the database''s clock.';
