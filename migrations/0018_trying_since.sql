-- How long a delivery waits for GitHub is counted from the first time that it was asked in vain, not from its receipt.

ALTER TABLE deliveries ADD COLUMN trying_since timestamptz;
COMMENT ON COLUMN deliveries.trying_since IS
    'Since when GitHub is asked in vain for what it needs; null before that, and again when it is replayed.';
