const STATE = `
CREATE TABLE identity (
  key_id TEXT PRIMARY KEY, public_key TEXT NOT NULL, name TEXT NOT NULL, machine TEXT NOT NULL,
  registered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES identity, submission TEXT NOT NULL, spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')), reason TEXT,
  submitted_at INTEGER NOT NULL, UNIQUE (owner, submission)
) STRICT;
CREATE INDEX job_by_state ON job (state);

-- A shard's lease keeps its id; each new holder gets a later epoch. granted_until is what the lease frame said and the
-- proof repeats, not_after is the deadline after renewals.
CREATE TABLE shard (
  job TEXT NOT NULL REFERENCES job, idx INTEGER NOT NULL, label TEXT NOT NULL, spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'settled', 'failed')),
  ready_at INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  lease TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL DEFAULT 1,
  nonce TEXT, granted_until INTEGER, not_after INTEGER, agent TEXT, slot TEXT,
  step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0, loss REAL,
  outputs TEXT, proof TEXT,
  PRIMARY KEY (job, idx), UNIQUE (job, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX shard_by_state ON shard (state, ready_at);

-- The receipt is kept unsigned: Ed25519 is deterministic, so signing it again gives the same bundle.
CREATE TABLE proof (
  digest TEXT PRIMARY KEY, lease TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, bundle TEXT NOT NULL, receipt TEXT NOT NULL
) STRICT;
`

const LEDGER = `
CREATE TABLE posting (
  idx INTEGER PRIMARY KEY, leaf TEXT NOT NULL, kind TEXT NOT NULL, entry TEXT NOT NULL
) STRICT;
CREATE TABLE leg (
  posting INTEGER NOT NULL REFERENCES posting, account TEXT NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL
) STRICT;
CREATE INDEX leg_by_account ON leg (account, kind, amount);

CREATE TRIGGER posting_stays BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER posting_remains BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_stays BEFORE UPDATE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_remains BEFORE DELETE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
`

const REGISTRY = `
CREATE TABLE upload (id TEXT PRIMARY KEY, started_at INTEGER NOT NULL) STRICT;
CREATE TABLE manifest (
  name TEXT NOT NULL, reference TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
  PRIMARY KEY (name, reference)
) STRICT, WITHOUT ROWID;
`

const REFERRERS = `
CREATE TABLE referrer (
  name TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, artifact_type TEXT NOT NULL,
  size INTEGER NOT NULL, annotations TEXT NOT NULL, added_at INTEGER NOT NULL, PRIMARY KEY (name, subject, digest)
) STRICT, WITHOUT ROWID;
`

// The newest checkpoint that a holder left, and the one that the present lease began from; both are JSON.
const CHECKPOINTS = `
ALTER TABLE shard ADD COLUMN checkpoint TEXT;
ALTER TABLE shard ADD COLUMN began_from TEXT;
`

const CAPACITY_REPORTS = `
CREATE TABLE capacity_report (
  agent TEXT PRIMARY KEY REFERENCES identity, digest TEXT NOT NULL, report TEXT NOT NULL, bundle TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

// Rows of posting are an index over those entries that move credits; the entries themselves are what is signed.
const MERKLE_LOG = `
CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE node (
  level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
ALTER TABLE proof ADD COLUMN entry INTEGER;

-- Postings were a chain of their own, each with the digest of the one before it.
DROP TRIGGER posting_stays;
UPDATE posting SET entry = json_remove(entry, '$.index', '$.previous');
CREATE TRIGGER posting_stays BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER entry_follows BEFORE INSERT ON entry
WHEN NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM entry)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_remains BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER node_stays BEFORE UPDATE ON node BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER node_remains BEFORE DELETE ON node BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
`

// What the legs of each account come to, by kind: as many rows as there are accounts, however long the ledger grows.
const CREDITS = `
CREATE TABLE turnover (
  account TEXT NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO turnover SELECT account, kind, sum(amount) FROM leg GROUP BY account, kind;
CREATE TRIGGER leg_counts AFTER INSERT ON leg BEGIN
  INSERT INTO turnover (account, kind, amount) VALUES (NEW.account, NEW.kind, NEW.amount)
    ON CONFLICT DO UPDATE SET amount = amount + excluded.amount;
END;
CREATE INDEX leg_by_posting ON leg (posting);

-- The present lease's price as JSON, when it was granted, and what the job paid in all for the settled shard.
ALTER TABLE shard ADD COLUMN price TEXT;
ALTER TABLE shard ADD COLUMN granted_at INTEGER;
ALTER TABLE shard ADD COLUMN cost INTEGER;
`

// By what the explorer's pages list.
const LISTS = `
CREATE INDEX identity_by_time ON identity (registered_at);
CREATE INDEX job_by_time ON job (submitted_at);
CREATE INDEX shard_by_agent ON shard (agent, state);
CREATE INDEX proof_by_agent ON proof (agent, entry);
`

// A proof of an audited job is committed before it is settled, and what audits it are shards, too: `claim` is the proof that one audits.
// They keep the label of the shard that they run again. SQLite changes no CHECK, so the table is made anew.
const AUDITS = `
CREATE TABLE shard_with_audits (
  job TEXT NOT NULL REFERENCES job, idx INTEGER NOT NULL, label TEXT NOT NULL, spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'committed', 'settled', 'failed')),
  ready_at INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  lease TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL DEFAULT 1,
  nonce TEXT, granted_until INTEGER, not_after INTEGER, agent TEXT, slot TEXT,
  step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0, loss REAL,
  outputs TEXT, proof TEXT, checkpoint TEXT, began_from TEXT, price TEXT, granted_at INTEGER, cost INTEGER,
  claim TEXT, part INTEGER, turn INTEGER, auditor TEXT, candidates TEXT, lost TEXT,
  PRIMARY KEY (job, idx)
) STRICT, WITHOUT ROWID;
INSERT INTO shard_with_audits (job, idx, label, spec, state, ready_at, attempt, lease, epoch, nonce, granted_until, not_after,
  agent, slot, step, steps, loss, outputs, proof, checkpoint, began_from, price, granted_at, cost)
SELECT job, idx, label, spec, state, ready_at, attempt, lease, epoch, nonce, granted_until, not_after,
  agent, slot, step, steps, loss, outputs, proof, checkpoint, began_from, price, granted_at, cost FROM shard;
DROP TABLE shard;
ALTER TABLE shard_with_audits RENAME TO shard;
CREATE UNIQUE INDEX shard_by_label ON shard (job, label) WHERE claim IS NULL;
CREATE INDEX shard_by_state ON shard (state, ready_at);
CREATE INDEX shard_by_agent ON shard (agent, state);
CREATE INDEX shard_by_claim ON shard (claim, part, turn) WHERE claim IS NOT NULL;

-- What was handed in and is not paid before its audits are over; answers are those of auditors, and name the claim.
CREATE TABLE commitment (
  proof TEXT PRIMARY KEY, lease TEXT NOT NULL, epoch INTEGER NOT NULL, job TEXT NOT NULL, idx INTEGER NOT NULL,
  claim TEXT, agent TEXT NOT NULL, kind TEXT NOT NULL, entry INTEGER NOT NULL,
  spec TEXT NOT NULL, result TEXT NOT NULL, bundle TEXT NOT NULL, outputs TEXT NOT NULL, loss REAL, charge TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'failed', 'undecided')),
  checkpoint TEXT, seed TEXT, audited_at INTEGER, probability REAL, parts TEXT, verdict TEXT, decided_at INTEGER, UNIQUE (lease, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX commitment_by_state ON commitment (state, entry);
CREATE INDEX commitment_by_agent ON commitment (agent, state);
CREATE INDEX commitment_by_result ON commitment (result);

CREATE TABLE audit_record (
  agent TEXT PRIMARY KEY, passed INTEGER NOT NULL, failed INTEGER NOT NULL, run INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

// By what the explorer finds audits. The ledger's entry of a verdict carries the signature that the kept bundle has.
const AUDIT_LISTS = `
CREATE INDEX commitment_by_job ON commitment (job, idx);
CREATE INDEX commitment_by_verdict ON commitment (json_extract(verdict, '$.dsseEnvelope.signatures[0].sig'))
  WHERE verdict IS NOT NULL;
`

// What draws a job's canaries, in hex, and the two signed statements that name its digest and then tell it. A canary is an audit of a shard that passed one, given in the place of a lease and its epoch.
const CANARIES = `
CREATE TABLE canary (
  job TEXT PRIMARY KEY REFERENCES job, secret TEXT NOT NULL, commitment TEXT NOT NULL, told TEXT
) STRICT, WITHOUT ROWID;
ALTER TABLE shard ADD COLUMN instead TEXT;
`

/** The marketplace's tables, for `Database`: scripts that are never edited once released, only followed by others. */
export const MIGRATIONS = [
  STATE,
  LEDGER,
  REGISTRY,
  REFERRERS,
  CHECKPOINTS,
  CAPACITY_REPORTS,
  MERKLE_LOG,
  CREDITS,
  LISTS,
  AUDITS,
  AUDIT_LISTS,
  CANARIES,
] as const
