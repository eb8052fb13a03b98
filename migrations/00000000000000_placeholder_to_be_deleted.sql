-- Holds the folder's place until the first real migration arrives; delete it then.
SELECT 1;
