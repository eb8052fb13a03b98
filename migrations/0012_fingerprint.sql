-- What GitHub signs is told apart by its signature; the body need not be hashed a second time.
COMMENT ON COLUMN deliveries.body_hash IS
    'SHA-256 of the raw body, of the signature that was verified over it, or of an id that is signed; finds a replay under a new delivery id.';
