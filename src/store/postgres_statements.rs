//! The statements of the store in PostgreSQL. `{table}` is the name of the table.

/// A statement that waits for a lock blocks those behind it on the same connection.
pub(super) const SESSION: &str = "\
SET lock_timeout = '1s'; SET statement_timeout = '2s'; SET default_transaction_isolation = 'read committed'";

pub(super) const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS {table} (
  key text NOT NULL, done boolean NOT NULL, value text NOT NULL, until timestamptz NOT NULL,
  PRIMARY KEY (key, done)
);
CREATE INDEX IF NOT EXISTS {index} ON {table} (until)";

/// Returns the value if the key is done, and whether the token holds the claim.
///
/// The row of the claim is locked if it exists. `complete` changes it, so a claim that began before
/// the key was completed cannot take it.
pub(super) const CLAIM: &str = "\
WITH completed AS (
  SELECT value FROM {table} WHERE key = $1 AND done AND until > clock_timestamp()
), claimed AS (
  INSERT INTO {table} AS held (key, done, value, until)
  SELECT $1, false, $2, clock_timestamp() + $3::bigint * interval '1 millisecond'
  WHERE NOT EXISTS (SELECT FROM completed)
  ON CONFLICT (key, done) DO UPDATE SET value = excluded.value, until = excluded.until
  WHERE held.value = excluded.value OR held.until <= clock_timestamp()
  RETURNING 1
)
SELECT (SELECT value FROM completed), EXISTS (SELECT FROM claimed)";

pub(super) const COMPLETE: &str = "\
WITH closed AS (
  INSERT INTO {table} (key, done, value, until)
  VALUES ($1, false, '', clock_timestamp() + $3::bigint * interval '1 millisecond')
  ON CONFLICT (key, done) DO UPDATE SET value = '', until = excluded.until
)
INSERT INTO {table} (key, done, value, until)
VALUES ($1, true, $2, clock_timestamp() + $3::bigint * interval '1 millisecond')
ON CONFLICT (key, done) DO UPDATE SET value = excluded.value, until = excluded.until";

pub(super) const RELEASE: &str = "DELETE FROM {table} WHERE key = $1 AND NOT done AND value = $2";

/// Changes one row if the key is new, otherwise none.
pub(super) const RECORD: &str = "\
INSERT INTO {table} AS seen (key, done, value, until)
VALUES ($1, true, '', clock_timestamp() + $2::bigint * interval '1 millisecond')
ON CONFLICT (key, done) DO UPDATE SET until = excluded.until WHERE seen.until <= clock_timestamp()";

/// Both conditions are needed: a row that the inner query has found may have been claimed again
/// before it is deleted.
pub(super) const PURGE: &str = "\
DELETE FROM {table} WHERE until < clock_timestamp() - interval '1 minute' AND (key, done) IN
(SELECT key, done FROM {table} WHERE until < clock_timestamp() - interval '1 minute' LIMIT 1000)";
