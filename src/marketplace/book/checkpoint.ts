import { Fault } from "../../protocol/fault.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import { claimed } from "./claim.ts"
import type { Exchange } from "./exchange.ts"

const MIB = 2 ** 20

/**
 * Keeps the newest checkpoint of a shard whose checkpoints travel, for whoever holds its lease next. Saying it again is harmless.
 * @throws Fault `lease-unknown`, `lease-stale`, `checkpoint-refused` or `blob-missing`
 */
export async function keepCheckpoint(
  { db, shards, blobs, clock, log }: Exchange,
  agent: KeyId,
  { lease, epoch, files }: ClientFrameOf<"checkpoint">,
): Promise<MarketMessage> {
  const held = () => claimed(shards.byLease(lease), agent, epoch, clock())
  const shard = held()
  const { checkpoints, limits } = shards.spec(shard)
  if (checkpoints !== "travel") throw refused("its job keeps checkpoints where they are", lease)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  if (bytes > limits.checkpointMiB * MIB) throw refused(`${bytes} bytes are over the shard's limit`, lease)
  for (const { name, digest, size } of files)
    if ((await blobs.size(digest)) !== size) throw missing(name, lease)
  await db.write(() => shards.update(held(), { checkpoint: JSON.stringify(files) }))
  log.info({
    event: "checkpoint.kept",
    job: shard.job,
    label: shard.label,
    agent,
    files: files.length,
    bytes,
  })
  return { type: "kept", lease, epoch }
}

function refused(why: string, lease: string): Fault {
  return new Fault("checkpoint-refused", `The checkpoint is not kept: ${why}.`, {
    hint: "Nothing to do: the shard goes on here, and begins anew elsewhere.",
    facts: { lease },
  })
}

function missing(name: string, lease: string): Fault {
  return new Fault("blob-missing", `The checkpoint's ${name} is not stored here in the size that was told.`, {
    hint: "Upload every file of the checkpoint, then tell of it again.",
    facts: { name, lease },
  })
}
