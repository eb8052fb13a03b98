-- A chat account is bound to a person as one source names it.

COMMENT ON COLUMN chat_links.team IS 'The workspace there, and behind an @ the source whose word it is.';
COMMENT ON COLUMN identities.team IS 'The workspace there, and behind an @ the source whose word it is.';
COMMENT ON COLUMN chat_wishes.team IS 'The workspace there, and behind an @ the source whose word it is.';
COMMENT ON COLUMN sign_ins.team IS 'The workspace there, and behind an @ the source whose word it is.';
