import type { LogEvent } from "./timeline.ts"

/** Where on its road a shard is when the fault strikes. */
export const MOMENTS = ["offered", "leased", "prepared", "running", "ran", "proved", "settling"] as const
export type Moment = (typeof MOMENTS)[number]

type Told = Pick<LogEvent, "by" | "event">

/**
 * The log event that tells that a shard has come there. An agent tells a state once it is durable. `offered` is the marketplace's word: the
 * agent is about to accept. So is `settling`: the proof is paid, and the receipt is on its way.
 */
const TOLD_BY: Record<Moment, Told> = {
  offered: { by: "market", event: "shard.offered" },
  leased: { by: "agent", event: "shard.leased" },
  prepared: { by: "agent", event: "shard.prepared" },
  running: { by: "agent", event: "shard.running" },
  ran: { by: "agent", event: "shard.ran" },
  proved: { by: "agent", event: "shard.proved" },
  settling: { by: "market", event: "shard.settled" },
}

export function tells(moment: Moment, job: string): (told: LogEvent) => boolean {
  const { by, event } = TOLD_BY[moment]
  return told => told.by === by && told.event === event && told.fields.job === job
}

/** What shows that the world goes on with a job: a shard's next state at the agent, or a word of the marketplace's. */
export function movesOn(job: string): (told: LogEvent) => boolean {
  return ({ event, fields }) =>
    fields.job === job && /^(shard|job)\./.test(event) && event !== "shard.resumed"
}
