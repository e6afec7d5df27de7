import { setTimeout as sleep } from "node:timers/promises"
import type { Digest } from "../../protocol/digest.ts"
import { Fault, isFault } from "../../protocol/fault.ts"
import type { Ports } from "./ports.ts"
import { keepReceipt } from "./settle.ts"
import { type Committed, leftBy, type Settled } from "./state.ts"

/** Before the proof is handed in again, right after something new was asked for. */
const FIRST_PAUSE_MS = 500
/** Audits are runs of their own: nobody waits for them by the second. */
const LONGEST_PAUSE_MS = 15_000

type Needs = Parameters<typeof keepReceipt>[2] & Pick<Ports, "transfer" | "store" | "handIn" | "onUnshown">

/**
 * committed → settled: hands the proof in again and again, and shows what its audits ask for, until the receipt comes. What is not in the
 * store any more is told to `onUnshown`, and its audit fails by itself; what could not be sent is sent when it is asked for again.
 * @throws Fault what the marketplace refused with, such as `audit-failed`; as {@link keepReceipt}.
 */
export async function reveal(shard: Committed, ports: Needs, signal: AbortSignal): Promise<Settled> {
  const known = new Set<Digest>()
  for (let pauseMs = FIRST_PAUSE_MS; ; ) {
    await sleep(pauseMs, undefined, { signal })
    const answer = await ports.handIn(shard.assignment.lease, shard.bundle, signal)
    if (!("reveal" in answer)) return keepReceipt(shard, answer, ports)
    const asked = answer.reveal
    const hasNews = asked.some(digest => !known.has(digest))
    for (const digest of asked) await show(digest, { shard, isKnown: known.has(digest) }, ports, signal)
    for (const digest of asked) known.add(digest)
    pauseMs = hasNews ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }
}

async function show(
  digest: Digest,
  { shard, isKnown }: { shard: Committed; isKnown: boolean },
  { transfer, store, onUnshown }: Needs,
  signal: AbortSignal,
): Promise<void> {
  const { lease } = shard.assignment
  const blob = leftBy(shard).find(one => one.digest === digest)
  if (!blob || (await store.size(digest)) === null) {
    if (!isKnown) onUnshown(lease, gone(digest))
    return
  }
  try {
    await transfer.upload(blob, signal)
  } catch (error) {
    if (signal.aborted || !isFault(error)) throw error
    onUnshown(lease, error)
  }
}

function gone(digest: Digest): Fault {
  return new Fault("blob-missing", `An audit asks for ${digest}, which this host does not have.`, {
    hint: "See whether something removes files from the state folder: an audit fails that is not shown its state.",
    facts: { digest },
  })
}
