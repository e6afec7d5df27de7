import { setTimeout as sleep } from "node:timers/promises"
import type { Digest, NamedBlob } from "../../src/protocol/digest.ts"
import type { JobSpec } from "../../src/protocol/job.ts"
import type { MarketFrame, MarketFrameOf } from "../../src/protocol/message.ts"
import { RUN_LOG } from "../../src/protocol/run-log.ts"
import { type Bundle, bundleDigest, resource } from "../../src/protocol/statement.ts"
import { type Client, enrol, newIdentity, prove } from "./client.ts"
import { slotFor } from "./work.ts"

type LeaseFrame = MarketFrameOf<"lease">

/** What a shard's program would write: the same for everybody who runs the same command. */
export function honest({ spec }: LeaseFrame): string {
  return `result of ${spec.command.argv.join(" ")}`
}

/** What each output holds, and what it can show when it is asked for it, by digest. */
export interface Run {
  outputs: Record<string, string>
  states?: ReadonlyMap<Digest, string>
  runLog?: Digest
}

export interface Conduct {
  /** What it hands in, the same text for every output where it is a text; null says that the shard cannot be run. */
  result?: (lease: LeaseFrame) => Run | string | null
  /** Whether it takes what it is offered now. */
  takes?: () => boolean
}

/** How a lease came out. */
export interface Ending {
  lease: LeaseFrame
  bundle: Bundle | null
  /** A receipt or a refusal; null for what was given back. */
  answer: MarketFrameOf<"receipt"> | MarketFrameOf<"refused"> | null
}

/** An agent that takes whatever it is offered, hands in a proof, and goes on handing it in until it is told how that came out. */
export class Worker {
  readonly client: Client
  readonly endings: Ending[] = []
  readonly handedIn: HandedIn[] = []
  readonly #conduct: Conduct
  #isOver = false
  readonly #working = new Set<Promise<void>>()

  private constructor(client: Client, conduct: Conduct) {
    this.client = client
    this.#conduct = conduct
  }

  static async start(
    url: string,
    job: Pick<JobSpec, "resources">,
    conduct: Conduct = {},
    identity = newIdentity(),
  ): Promise<Worker> {
    const worker = new Worker(await enrol(url, identity), conduct)
    worker.client.wire.send({ type: "capacity", slots: [slotFor(job)] })
    worker.#track(worker.#takeOffers())
    return worker
  }

  get keyId() {
    return this.client.identity.keyId
  }

  /** Resolves with the ending of the n-th lease. */
  async ending(n = 0, limitMs = 10_000): Promise<Ending> {
    const deadline = performance.now() + limitMs
    while (this.endings[n] === undefined) {
      if (performance.now() > deadline) throw new Error(`no ending ${n} within ${limitMs} ms`)
      await sleep(20)
    }
    return this.endings[n]
  }

  /** The same agent again, after the marketplace was away: it hands in what it has, and takes offers. */
  async again(url: string, job: Pick<JobSpec, "resources">): Promise<Worker> {
    const next = await Worker.start(url, job, this.#conduct, this.client.identity)
    for (const handedIn of this.handedIn) next.#track(next.#handIn(handedIn))
    return next
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.client.close()
    await Promise.allSettled(this.#working)
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(error => {
      // A marketplace that goes away ends its work; somebody may begin it anew.
      if (!this.#isOver && !this.client.wire.isClosed) throw error
    })
    this.#working.add(tracked)
  }

  async #takeOffers(): Promise<void> {
    const { wire } = this.client
    while (!this.#isOver) {
      const offer = (await wire.take(isOffer, "an offer", 3_600_000)) as MarketFrameOf<"offer">
      const { takes = () => true } = this.#conduct
      if (!takes()) wire.send({ type: "decline", offer: offer.offer, reason: "busy" })
      else {
        const answer = await wire.answerTo(wire.send({ type: "accept", offer: offer.offer }))
        if (answer.type === "lease") this.#track(this.#work(answer))
      }
    }
  }

  async #work(lease: LeaseFrame): Promise<void> {
    const { client } = this
    const { result = honest } = this.#conduct
    const ran = result(lease)
    if (ran === null) {
      const given = {
        type: "abandon",
        ...heldOf(lease),
        code: "shard-failed",
        message: "exit code 3",
      } as const
      await client.ask(given, "abandoned")
      this.endings.push({ lease, bundle: null, answer: null })
      return
    }
    const run = typeof ran === "string" ? allOf(lease, ran) : ran
    const outputs: NamedBlob[] = []
    for (const name of lease.spec.outputs)
      outputs.push({ name, ...(await client.upload(run.outputs[name] ?? "")) })
    const bundle = await prove(client.identity, lease, outputs, statement => {
      if (run.runLog) statement.predicate.runDetails.byproducts.push(resource(RUN_LOG, run.runLog))
    })
    await this.#handIn({ lease, bundle, run })
  }

  async #handIn(handedIn: HandedIn): Promise<void> {
    const { client } = this
    const { lease, bundle, run } = handedIn
    this.handedIn.push(handedIn)
    for (;;) {
      const answer = await client.wire.answerTo(client.wire.send({ type: "proof", ...heldOf(lease), bundle }))
      if (answer.type === "receipt" || answer.type === "refused") {
        this.endings.push({ lease, bundle, answer })
        return
      }
      if (answer.type === "committed")
        for (const state of answer.reveal) {
          const shown = run.states?.get(state)
          if (shown !== undefined) await client.upload(shown)
        }
      await sleep(50)
    }
  }
}

interface HandedIn {
  lease: LeaseFrame
  bundle: Bundle
  run: Run
}

function allOf({ spec }: LeaseFrame, content: string): Run {
  return { outputs: Object.fromEntries(spec.outputs.map(name => [name, content])) }
}

function heldOf({ lease }: LeaseFrame) {
  return { lease: lease.id, epoch: lease.epoch }
}

export function proofOf({ bundle }: Ending) {
  if (!bundle) throw new Error("it handed nothing in")
  return bundleDigest(bundle)
}

function isOffer({ type }: MarketFrame): boolean {
  return type === "offer"
}
