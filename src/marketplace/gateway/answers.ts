import { Fault } from "../../protocol/fault.ts"
import type { ClientFrame, ClientFrameOf, ClientType, MarketMessage } from "../../protocol/message.ts"
import { keepCheckpoint } from "../book/checkpoint.ts"
import type { Exchange } from "../book/exchange.ts"
import { jobList, jobOf } from "../book/inquiry.ts"
import { abandon, accept, decline, renew, report, withdrawFrom } from "../book/leases.ts"
import { reconcile } from "../book/reconcile.ts"
import { register } from "../book/registration.ts"
import { takeReport } from "../book/reporting.ts"
import { settle } from "../book/settling.ts"
import { submit } from "../book/submission.ts"
import { release } from "../ledger/posting.ts"
import { outOfPlace } from "./handshake.ts"
import type { Peer } from "./roster.ts"

type Answer = Promise<MarketMessage | undefined>

/** What a message of each type does, and what is answered, if anything. */
type Answers = {
  [Type in ClientType]: (exchange: Exchange, peer: Peer, frame: ClientFrameOf<Type>) => Answer
}

const ANSWERS: Answers = {
  hello: async (_exchange, _peer, frame) => {
    throw outOfPlace(frame, "open")
  },
  auth: async (_exchange, _peer, frame) => {
    throw outOfPlace(frame, "open")
  },
  register,
  capacity: async (exchange, peer, { slots, holding }) => {
    exchange.roster.serve(peer, slots)
    exchange.refusals.forgive(peer.agent)
    if (holding) await reconcile(exchange, peer, holding)
    exchange.wake()
  },
  report: takeReport,
  drain: async (exchange, { agent }) => {
    exchange.roster.drain(agent)
    withdrawFrom(exchange, agent)
  },
  accept: (exchange, peer, { offer }) => accept(exchange, peer, offer),
  decline: async (exchange, { agent }, frame) => {
    decline(exchange, agent, frame)
  },
  renew: (exchange, { agent }, frame) => renew(exchange, agent, frame),
  progress: async (exchange, { agent }, frame) => {
    report(exchange, agent, frame)
  },
  checkpoint: (exchange, { agent }, frame) => keepCheckpoint(exchange, agent, frame),
  abandon: (exchange, { agent }, frame) => abandon(exchange, agent, frame),
  proof: settle,
  submit: (exchange, { agent }, frame) => submit(exchange, agent, frame),
  watch: async (exchange, peer, { job }) => {
    const status = jobOf(exchange, peer.agent, job)
    if (status.state === "waiting" || status.state === "running") exchange.watches.add(job, peer)
    return { type: "job", status }
  },
  jobs: async (exchange, { agent }) => jobList(exchange, agent),
  account: async ({ ledger }, { agent }) => ledger.statement(agent),
  release: ({ db, ledger, commitments }, { agent }) =>
    db.write(() => {
      if (commitments.hasOpen(agent)) throw bondHeld()
      const bond = ledger.balance(`bond:${agent}`)
      if (bond > 0) ledger.append(release(agent, bond))
      return ledger.statement(agent)
    }),
  ack: async () => {},
}

/** What needs no registered identity. */
const FREE: readonly ClientType[] = ["register", "ack"]

/**
 * Carries out one message of an authenticated client.
 * @throws Fault `not-registered`, or what the message's own step throws.
 */
export async function answer(
  exchange: Exchange,
  peer: Peer,
  frame: ClientFrame,
): Promise<MarketMessage | undefined> {
  if (!FREE.includes(frame.type) && !exchange.identities.has(peer.agent)) throw notRegistered(frame.type)
  const step = ANSWERS[frame.type] as (exchange: Exchange, peer: Peer, frame: ClientFrame) => Answer
  return step(exchange, peer, frame)
}

function bondHeld(): Fault {
  return new Fault(
    "bond-held",
    "Proofs of yours still wait for their audits, and the bond stands for them.",
    {
      hint: "Stop `zg-agent serve`'s work with `zg-agent drain`, wait for the last receipts, and ask again.",
    },
  )
}

function notRegistered(type: string): Fault {
  return new Fault("not-registered", `A ${type} needs a registered identity.`, {
    hint: "Run `zg-agent register` first.",
  })
}
