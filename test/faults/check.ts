import type { Facts, Violation } from "./facts.ts"

/** Nothing lost, nothing twice: every way in which the two ends' books can break that, once a job is over. */
export function check(facts: Facts): Violation[] {
  return [
    ...checkEnds(facts),
    ...checkAgreement(facts),
    ...checkPayments(facts),
    ...checkBooks(facts),
    ...checkOutputs(facts),
    ...checkArchive(facts),
  ]
}

/** Every accepted shard is settled, or abandoned with a reason. */
function checkEnds({ market, agent }: Facts): Violation[] {
  const found: Violation[] = []
  const { state, reason } = market.job
  if (state !== "done" && state !== "failed") found.push({ rule: "job-open", detail: `the job is ${state}` })
  if (state === "failed" && !reason)
    found.push({ rule: "no-reason", detail: "the job failed without a reason" })
  for (const { label, state: at } of market.shards)
    if (at !== "settled" && at !== "failed") found.push({ rule: "shard-open", detail: `${label} is ${at}` })
  for (const { lease, epoch, step, code, message } of agent.journal) {
    if (step !== "settled" && step !== "abandoned")
      found.push({ rule: "journal-open", detail: `${lease}/${epoch} is ${step}` })
    if (step === "abandoned" && !(code && message))
      found.push({ rule: "no-reason", detail: `${lease}/${epoch} was abandoned without a reason` })
  }
  return found
}

/** What the marketplace settled, the agent knows as settled by the same proof, and the other way round. */
function checkAgreement({ market, agent }: Facts): Violation[] {
  const there = market.shards.filter(({ state }) => state === "settled")
  const here = agent.journal.filter(({ step }) => step === "settled")
  const lost = there
    .filter(({ lease, proof }) => !here.some(own => own.lease === lease && own.proof === proof))
    .map(({ label, proof }) => `${label} is settled by ${proof} there, and not in the journal`)
  const invented = here
    .filter(({ lease, proof }) => !there.some(shard => shard.lease === lease && shard.proof === proof))
    .map(({ lease, proof }) => `${lease} is settled by ${proof} in the journal, and not there`)
  return [...lost, ...invented].map(detail => ({ rule: "ends-disagree", detail }))
}

/** One proof, one posting, one price for each settled shard, and nothing for any other. */
function checkPayments({ market, agent, expected }: Facts): Violation[] {
  const found: Violation[] = []
  for (const { label, lease, state } of market.shards) {
    const due = state === "settled" ? 1 : 0
    const paid = market.settlements.filter(({ about }) => about.lease === lease)
    const proofs = market.proofs.filter(proof => proof.lease === lease)
    if (paid.length !== due)
      found.push({ rule: "payments", detail: `${label} was paid ${paid.length} times` })
    if (proofs.length !== due)
      found.push({ rule: "payments", detail: `${label} has ${proofs.length} proofs at the marketplace` })
    for (const { legs } of paid) {
      const amounts = legs.map(({ amount }) => amount)
      if (!amounts.includes(-expected.price) || !amounts.includes(expected.paid))
        found.push({ rule: "payments", detail: `${label} was paid ${amounts.join(", ")}` })
    }
  }
  for (const { lease, step, paid } of agent.journal)
    if (paid !== (step === "settled" ? expected.paid : 0))
      found.push({ rule: "payments", detail: `the journal says ${paid} for ${lease}, which is ${step}` })
  for (const lease of market.paidTwice) found.push({ rule: "paid-twice", detail: lease })
  return found
}

/** To the micro-credit. */
function checkBooks({ market, agent }: Facts): Violation[] {
  const { ledgerSum, unsound, brokenAt, escrow, balance } = market
  const wrong = [
    ledgerSum !== 0 && `all postings come to ${ledgerSum}`,
    unsound > 0 && `${unsound} postings do not come to zero`,
    brokenAt !== null && `the ledger's chain breaks at ${brokenAt}`,
    market.job.state !== "running" && escrow !== 0 && `${escrow} are left in escrow`,
    balance !== agent.earned && `the agent counts ${agent.earned}, the ledger ${balance}`,
  ]
  return wrong.filter(detail => detail !== false).map(detail => ({ rule: "books", detail }))
}

function checkOutputs({ market, expected }: Facts): Violation[] {
  const found: Violation[] = []
  for (const { label, outputs } of market.shards.filter(({ state }) => state === "settled")) {
    if (outputs.length !== 1)
      found.push({ rule: "outputs", detail: `${label} has ${outputs.length} outputs` })
    for (const { name, digest, stored } of outputs) {
      if (digest !== expected.digest)
        found.push({ rule: "outputs", detail: `${label}'s ${name} is ${digest}` })
      if (stored !== digest)
        found.push({ rule: "outputs", detail: `${label}'s ${name} is stored as ${stored}` })
    }
  }
  return found
}

/** Every settled shard has its receipt, no lease two proofs, and the chain holds. */
function checkArchive({ agent }: Facts): Violation[] {
  const found: Violation[] = []
  if (agent.archiveBroken !== null) found.push({ rule: "archive", detail: agent.archiveBroken })
  for (const { lease, epoch, step, proof } of agent.journal) {
    const kept = agent.archive.filter(own => own.lease === lease && own.epoch === epoch)
    if (kept.length > 1)
      found.push({ rule: "archive", detail: `${lease}/${epoch} has ${kept.length} proofs in the archive` })
    if (step === "settled" && !kept.some(own => own.proof === proof && own.hasReceipt))
      found.push({
        rule: "archive",
        detail: `${lease}/${epoch} is settled and has no receipt in the archive`,
      })
  }
  return found
}
