-- What came about an issue or pull request, so that it can be told there why nothing was started: what rules looked at, and labels
-- that no rule listens to. A page's address may be longer than an index takes.

CREATE INDEX deliveries_subject ON deliveries (subject_url, id)
    WHERE length(subject_url) <= 500 AND (state = 'processed' OR state = 'ignored' AND action = 'labeled');
