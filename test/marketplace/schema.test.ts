import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { Shards } from "../../src/marketplace/book/shard-row.ts"
import { MIGRATIONS } from "../../src/marketplace/schema.ts"
import type { JobId } from "../../src/protocol/job.ts"
import type { LeaseId } from "../../src/protocol/lease.ts"
import { Database } from "../../src/store/database.ts"

/** What there was before shards were audited. */
const BEFORE_AUDITS = 9

test("the shards of a marketplace of before there were audits are all there afterwards, and none of them is an audit", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-schema-"))
  onTestFinished(() => rm(root, { recursive: true }))
  const path = join(root, "market.sqlite")
  const job = "job-0123456789ab" as JobId
  const before = new Database(path, MIGRATIONS.slice(0, BEFORE_AUDITS))
  before.sql.exec(`
    INSERT INTO identity VALUES ('owner', 'key', 'name', '{}', 1);
    INSERT INTO job (id, owner, submission, spec, state, submitted_at) VALUES ('${job}', 'owner', 's', '{}', 'running', 1);
    INSERT INTO shard (job, idx, label, spec, state, ready_at, lease, epoch, agent, outputs, proof, cost)
      VALUES ('${job}', 0, 'shard-0', '{"a":1}', 'settled', 1, 'lease-0', 2, 'agent', '[]', 'sha256:0', 7);
    INSERT INTO shard (job, idx, label, spec, state, ready_at, lease, began_from, price)
      VALUES ('${job}', 1, 'shard-1', '{"b":2}', 'ready', 1, 'lease-1', '[]', '{"per":"second","rate":3}');
  `)
  before.close()
  const after = new Database(path, MIGRATIONS)
  onTestFinished(() => after.close())
  const shards = new Shards(after.sql)
  expect(shards.of(job)).toMatchObject([
    { index: 0, label: "shard-0", state: "settled", epoch: 2, agent: "agent", proof: "sha256:0", cost: 7 },
    { index: 1, label: "shard-1", state: "ready", lease: "lease-1", claim: null },
  ])
  expect(shards.count(job)).toEqual({ planned: 2, settled: 1 })
  expect(shards.price({ job, index: 1 })).toEqual({ per: "second", rate: 3 })
  expect(shards.byLease("lease-0" as LeaseId)?.label).toBe("shard-0")
  // The plan's labels are still each there once.
  expect(() =>
    after.sql.exec(
      `INSERT INTO shard (job, idx, label, spec, state, ready_at, lease) VALUES ('${job}', 2, 'shard-1', '{}', 'ready', 1, 'lease-2')`,
    ),
  ).toThrow(/UNIQUE/)
})
