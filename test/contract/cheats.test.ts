// Proofs that are not what they seem, each caught by the marketplace: nothing is paid for them, and nothing recorded.
import { afterAll, beforeAll, expect, test } from "vitest"
import { ledgerKey } from "../../src/protocol/ledger-proof.ts"
import type { MarketFrameOf } from "../../src/protocol/message.ts"
import { type Bundle, bundleDigest } from "../../src/protocol/statement.ts"
import { checkLedger } from "../../src/runtime/ledger/check-ledger.ts"
import { ledgerFiles } from "../../src/runtime/ledger/files.ts"
import { checkReceipt, checkRecorded } from "../../src/runtime/proof/verify.ts"
import { type Client, enrol, prove } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"
import { batchJob, leaseOf, slotFor, submit, takeLease, uploadOutputs } from "./work.ts"

let embedded: Embedded | undefined
let url: string
let agent: Client
let buyer: Client

beforeAll(async () => {
  embedded = FOREIGN ? undefined : await Embedded.start()
  url = FOREIGN ?? embedded?.url ?? ""
  ;[agent, buyer] = await Promise.all([enrol(url), enrol(url)])
})
afterAll(async () => {
  await Promise.all([agent.close(), buyer.close()])
  await embedded?.stop()
})

type LeaseFrame = MarketFrameOf<"lease">

const heldOf = ({ lease }: LeaseFrame) => ({ lease: lease.id, epoch: lease.epoch })
const handIn = (client: Client, leased: LeaseFrame, bundle: Bundle) =>
  client.ask({ type: "proof", ...heldOf(leased), bundle }, "receipt")
const refusal = (client: Client, leased: LeaseFrame, bundle: Bundle) =>
  client.refusal({ type: "proof", ...heldOf(leased), bundle })

/** All of the published ledger, checked as anybody would. */
function ledger() {
  const log = ledgerKey(agent.handshake.marketKey)
  const toCheck = { files: ledgerFiles(url), log, witnesses: [], quorum: 0, receipts: null }
  return checkLedger(toCheck, { signal: AbortSignal.timeout(20_000) })
}

async function proofOf(client: Client, leased: LeaseFrame): Promise<Bundle> {
  return prove(client.identity, leased, await uploadOutputs(client, leased))
}

async function finished(): Promise<LeaseFrame & { bundle: Bundle }> {
  const leased = await leaseOf(agent, buyer)
  const bundle = await proofOf(agent, leased)
  await handIn(agent, leased, bundle)
  return { ...leased, bundle }
}

test("a receipt shows the proof and its payment in the ledger that everybody sees", async () => {
  const leased = await leaseOf(agent, buyer)
  const bundle = await proofOf(agent, leased)
  const receipt = await handIn(agent, leased, bundle)
  const { marketKey } = agent.handshake
  const due = { proof: bundleDigest(bundle), lease: leased.lease.id, agent: agent.identity.keyId }
  const proven = checkRecorded(receipt.ledger, marketKey, checkReceipt(receipt.bundle, marketKey, due))
  const published = await ledger()
  expect(published.size).toBeGreaterThanOrEqual(proven.checkpoint.size)
  expect(published.balances.get(`identity:${agent.identity.keyId}`)).toBeGreaterThan(0)
})

test("a proof that is replayed for another lease is refused", async () => {
  const { bundle } = await finished()
  const leased = await leaseOf(agent, buyer)
  expect(await refusal(agent, leased, bundle)).toBe("proof-mismatch")
  await handIn(agent, leased, await proofOf(agent, leased))
})

test("a proof that another agent made is refused from whoever hands it in", async () => {
  const leased = await leaseOf(agent, buyer)
  const bundle = await proofOf(agent, leased)
  const thief = await enrol(url)
  expect(await refusal(thief, leased, bundle)).toBe("lease-stale")
  expect(await refusal(agent, leased, await proofOf(thief, leased))).toBe("proof-signature-wrong")
  await handIn(agent, leased, bundle)
  await thief.close()
})

test("a proof for somebody else's lease is refused, also when it is signed honestly", async () => {
  const other = await enrol(url)
  const theirs = await leaseOf(other, buyer)
  expect(await refusal(agent, theirs, await proofOf(agent, theirs))).toBe("lease-stale")
  await handIn(other, theirs, await proofOf(other, theirs))
  await other.close()
})

test("of two proofs for one lease that come at once, one is paid and recorded", async () => {
  const leased = await leaseOf(agent, buyer)
  const outputs = await uploadOutputs(agent, leased)
  const bundles = await Promise.all(
    [1, 2].map(seconds =>
      prove(agent.identity, leased, outputs, ({ predicate }) =>
        Object.assign(predicate.runDetails.metadata.zg_usage, { gpuSeconds: seconds }),
      ),
    ),
  )
  const before = await ledger()
  const answers = await Promise.all(
    bundles.map(bundle =>
      handIn(agent, leased, bundle).then(
        () => "paid",
        () => "refused",
      ),
    ),
  )
  expect(answers.sort()).toEqual(["paid", "refused"])
  const after = await ledger()
  expect(after.statements - before.statements).toBe(1)
})

test("proofs that come in another order than their leases are each paid for their own", async () => {
  const job = batchJob(2)
  agent.wire.send({ type: "capacity", slots: [slotFor(job, "slot-0"), slotFor(job, "slot-1")] })
  const id = await submit(buyer, job)
  const [first, second] = [await takeLease(agent, id), await takeLease(agent, id)]
  const [one, two] = [await proofOf(agent, first), await proofOf(agent, second)]
  expect(await refusal(agent, first, two)).toBe("proof-mismatch")
  expect(await refusal(agent, second, one)).toBe("proof-mismatch")
  await handIn(agent, second, two)
  await handIn(agent, first, one)
})

test.each<[string, (bundle: Bundle) => unknown]>([
  ["a payload that is cut short", bundle => withPayload(bundle, payload => payload.slice(0, -8))],
  ["no payload", bundle => withPayload(bundle, () => "")],
  ["a signature that is cut short", bundle => withSig(bundle, sig => sig.slice(0, 40))],
  [
    "no signature",
    ({ dsseEnvelope, ...rest }) => ({ ...rest, dsseEnvelope: { ...dsseEnvelope, signatures: [] } }),
  ],
])("a truncated proof with %s is refused", async (_, cut) => {
  const leased = await leaseOf(agent, buyer)
  const bundle = await proofOf(agent, leased)
  expect(await refusal(agent, leased, cut(bundle) as Bundle)).toMatch(/^(proof-|message-malformed)/)
  await handIn(agent, leased, bundle)
})

function withPayload({ dsseEnvelope, ...rest }: Bundle, change: (payload: string) => string): Bundle {
  return { ...rest, dsseEnvelope: { ...dsseEnvelope, payload: change(dsseEnvelope.payload) } }
}

function withSig({ dsseEnvelope, ...rest }: Bundle, change: (sig: string) => string): Bundle {
  const [{ sig, keyid }] = dsseEnvelope.signatures
  return { ...rest, dsseEnvelope: { ...dsseEnvelope, signatures: [{ sig: change(sig), keyid }] } }
}

test("after all that no account but the issuer is below zero", async () => {
  const { balances } = await ledger()
  const below = [...balances].filter(([, balance]) => balance < 0).map(([account]) => account)
  expect(below).toEqual(["issuer"])
})
