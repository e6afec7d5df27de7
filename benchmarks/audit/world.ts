import { heldBack } from "../../src/marketplace/audit/bond.ts"
import * as draw from "../../src/marketplace/audit/draw.ts"
import type { AuditTerms } from "../../src/marketplace/audit/terms.ts"
import * as trust from "../../src/marketplace/audit/trust.ts"
import { isRepeat, type Outcome, type Verdict, verdict } from "../../src/marketplace/audit/verdict.ts"
import { digestOf, hexOf } from "../../src/protocol/digest.ts"
import { type Agent, PRICE } from "./agent.ts"
import { type Random, randomOf } from "./random.ts"
import { compared, type Exactness, reply, type Said, truth, untruth } from "./said.ts"

export interface Rules extends Exactness {
  terms: AuditTerms
  segments: number
  drawn: number
}

const PROOFS_A_CHECKPOINT = 100
/** How many outcomes are looked through for the same one; a marketplace looks through all. */
const LATELY = 50

/** A marketplace's audits as the real functions decide them; only what agents do is made up. */
export class World {
  readonly counts = { segments: 0, rerun: 0, disputes: 0, undecided: 0, accused: 0 }
  readonly #rules: Rules
  readonly #auditors: readonly Agent[]
  readonly #random: Random
  readonly #lately: Outcome[] = []
  #proofs = 0
  #checkpoint: draw.SignedRoot = { root: Buffer.alloc(32), signature: Buffer.alloc(64) }

  constructor(rules: Rules, auditors: readonly Agent[], seed: number) {
    this.#rules = rules
    // In the order that draws sort them into, which is quicker when they are.
    this.#auditors = auditors.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    this.#random = randomOf(seed)
  }

  /** The agent's next shard, as its conduct has it. */
  next(agent: Agent): void {
    const { cheats, errs = 0 } = agent.conduct
    if (cheats && this.#random() < cheats.shards) this.cheat(agent)
    else this.#work(agent, this.#random() < errs ? 1 : 0)
  }

  cheat(agent: Agent): void {
    const { cheats, repeats = false } = agent.conduct
    agent.cheated++
    agent.gain += (cheats?.segments ?? 0) / this.#rules.segments
    this.#work(agent, cheats?.segments ?? 0, repeats)
  }

  #work(agent: Agent, wrong: number, copies = false): void {
    const { terms, segments, drawn } = this.#rules
    const stake = { bond: agent.bond, price: PRICE }
    this.counts.segments += segments
    const probability = this.#isRepeat(agent, copies) ? 1 : trust.auditProbability(agent.record, stake, terms)
    const seed = this.#seed(`${agent.id} ${agent.shards++}`)
    const flawed = new Set(someOf(segments, wrong, this.#random))
    const audited = draw.chance(seed) < probability
    const holds = (segment: number) => this.#audit(this.#claim(agent, flawed.has(segment)), seed, segment)
    if (audited && !draw.drawSegments(seed, segments, drawn).every(holds)) agent.gain -= 1
    else {
      if (audited) agent.record = trust.afterPass(agent.record)
      agent.bond += heldBack(PRICE, stake, terms)
    }
  }

  #isRepeat({ id, shards }: Agent, copies: boolean): boolean {
    const spec = `${id} ${shards}`
    const copied = copies ? this.#lately.at(-1)?.result : undefined
    const outcome = { spec, result: copied ?? spec }
    const repeats = isRepeat(outcome, this.#lately)
    this.#lately.push(outcome)
    if (this.#lately.length > LATELY) this.#lately.shift()
    return repeats
  }

  #claim(agent: Agent, isWrong: boolean): Said {
    return isWrong ? untruth(agent, this.#random) : truth(agent, this.#rules.drift, this.#random)
  }

  /** Whether the claim on one segment holds. */
  #audit(claim: Said, seed: draw.Seed, segment: number): boolean {
    const { terms, segments, drift, tolerance } = this.#rules
    const said = [claim]
    for (let turn = 0; ; turn++) {
      const found = verdict(compared(said, tolerance), { quorum: 2, lead: terms.lead })
      const isOver =
        found.kind === "agreed" && (found.wrong.length > 0 || !this.#isAudited(said.at(-1) as Said))
      const auditor = isOver ? undefined : this.#auditor(seed, { segment, turn }, said)
      if (!auditor) return this.#close(claim, said, found)
      said.push(reply(auditor, claim, segments, drift, this.#random))
      this.counts.rerun++
    }
  }

  #close(claim: Said, said: readonly Said[], found: Verdict<Said>): boolean {
    if (found.kind === "open") {
      this.counts.undecided++
      return false
    }
    const wrong = new Set(found.wrong.map(({ by }) => by))
    if (wrong.size > 0) this.counts.disputes++
    for (const one of found.wrong) this.#fail(one, one.by === claim.by ? 0 : 1 / this.#rules.segments)
    for (const { by } of said.slice(1, -1)) if (!wrong.has(by)) by.record = trust.afterPass(by.record)
    return !wrong.has(claim.by)
  }

  /** An auditor's answer is work like any other, and is drawn like a proof; what is at stake is the whole shard. */
  #isAudited({ by: { id, record, bond } }: Said): boolean {
    const probability = trust.answerAuditProbability(record, { bond, price: PRICE }, this.#rules.terms)
    return draw.chance(this.#seed(`${id} answers ${this.counts.rerun}`)) < probability
  }

  #auditor(
    seed: draw.Seed,
    place: { segment: number; turn: number },
    said: readonly Said[],
  ): Agent | undefined {
    const others = this.#auditors.filter(({ id }) => said.every(({ owner }) => owner !== id))
    const candidates = others.map(({ id, bond }) => ({ agent: id, bond }))
    const drawn = draw.drawAuditor(seed, place, candidates)
    return others.find(({ id }) => id === drawn)
  }

  /** @param pay what the wrong answer itself would have earned, if that is not counted elsewhere */
  #fail({ by: agent, honest }: Said, pay: number): void {
    agent.gain -= agent.bond / PRICE + pay
    agent.bond = 0
    agent.record = trust.afterFailure(agent.record)
    agent.failed++
    if (honest) this.counts.accused++
  }

  #seed(proof: string): draw.Seed {
    if (this.#proofs++ % PROOFS_A_CHECKPOINT === 0) {
      const root = Buffer.from(hexOf(digestOf(`${this.#random()}`)), "hex")
      this.#checkpoint = { root, signature: Buffer.concat([root, root]) }
    }
    return draw.seedOfProof(this.#checkpoint, digestOf(proof))
  }
}

function someOf(of: number, count: number, random: Random): number[] {
  if (count === 0) return []
  const left = Array.from({ length: of }, (_, index) => index)
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)[0] as number)
}
