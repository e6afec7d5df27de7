/** What somebody says came out of a shard or a segment: the agent that proved it first, then each auditor in turn. */
export interface Answer {
  /** Each owner counts once. */
  owner: string
  /** Equal for results that are alike: a digest, or the group that `grouped` gave. */
  result: string | number
}

export type Verdict<A extends Answer> =
  /** `wrong` are those who answered otherwise; nobody, when nobody did. */
  | { kind: "agreed"; result: A["result"]; wrong: A[] }
  /** At least so many more answers, by other owners, are needed. Without any left, nobody is held to be wrong. */
  | { kind: "open"; more: number }

/**
 * As long as all agree, a quorum settles it. As soon as two differ, one result also has to lead by `lead` answers: a random walk
 * between two barriers, which a ring of a minority of the auditors hardly ever wins (gambler's ruin; 1 would be two of three).
 * @throws Error when an owner answers twice
 */
export function verdict<A extends Answer>(
  answers: readonly A[],
  { quorum, lead }: { quorum: number; lead: number },
): Verdict<A> {
  if (new Set(answers.map(({ owner }) => owner)).size < answers.length)
    throw new Error("an owner has answered twice")
  const counts = new Map<A["result"], number>()
  for (const { result } of answers) counts.set(result, (counts.get(result) ?? 0) + 1)
  const [first, second] = [...counts].sort(([, a], [, b]) => b - a)
  if (!first) return { kind: "open", more: quorum }
  const [result, count] = first
  const missing = Math.max(quorum - count, second ? lead - (count - second[1]) : 0)
  if (missing > 0) return { kind: "open", more: missing }
  return { kind: "agreed", result, wrong: answers.filter(answer => answer.result !== result) }
}

/**
 * For each result the place of the one that stands for its group: that which most others are alike to, then the same among the
 * rest. Were it the first one, a claim at the tolerance's edge would make honest results on the other side look wrong.
 */
export function grouped<R>(results: readonly R[], alike: (one: R, other: R) => boolean): number[] {
  const groups: number[] = []
  let rest = [...results.entries()]
  while (rest.length > 0) {
    const around = rest.map(([place, one]) => ({
      place,
      near: rest.filter(([at, other]) => at === place || alike(one, other)),
    }))
    const { place, near } = around.reduce((best, one) => (one.near.length > best.near.length ? one : best))
    for (const [member] of near) groups[member] = place
    rest = rest.filter(([other]) => groups[other] === undefined)
  }
  return groups
}

/** What was run, and what came out of it. */
export interface Outcome {
  spec: string
  result: string
}

/**
 * Whether another shard, with another command or other inputs, has had just these outputs. It proves nothing (some programs
 * answer little), so the shard is audited for certain, and the re-run says who copied: not who came second.
 */
export function isRepeat({ spec, result }: Outcome, earlier: readonly Outcome[]): boolean {
  return earlier.some(other => other.result === result && other.spec !== spec)
}
