import type { ModeReport } from "../runtime/agent/status.ts"
import { minute } from "./agent-report.ts"
import { counted } from "./counted.ts"

/** What a pause, a resume or a drain did, and what comes next, for people. */
export function modeReport({ mode, changed, shards, keptUntil, unstopped }: ModeReport): string {
  const suspended = shards.filter(shard => shard.suspended).length
  const audited = shards.filter(({ at }) => at === "committed").length
  const working = shards.length - suspended - audited
  switch (mode.mode) {
    case "paused":
      return [
        changed
          ? `Paused: ${counted(suspended, "shard")} suspended.`
          : `It is paused since ${minute(mode.since)}: ${counted(suspended, "shard")} suspended.`,
        ...(unstopped === 0 ? ["Nothing runs, and nothing is taken."] : [unstoppedLine(unstopped)]),
        ...(suspended === 0
          ? []
          : [`Their leases are kept until ${minute(keptUntil ?? "")}, then they are given up.`]),
        "`zg-agent resume` goes on; a restart does not.",
      ].join("\n")
    case "draining":
      return [
        changed ? "Draining: nothing new is taken." : `It drains since ${minute(mode.since)}.`,
        working === 0
          ? "Nothing is on the road: the agent ends now."
          : `The agent ends after ${counted(working, "shard")}; \`zg-agent resume\` takes work again.`,
        ...(audited === 0 ? [] : [auditedLine(audited)]),
      ].join("\n")
    case "serving":
      return [
        changed ? "Serving again." : "It serves already.",
        `${counted(working, "shard")} on the road.`,
      ].join(" ")
    default:
      return mode satisfies never
  }
}

/** What a drain does not wait for. */
export function auditedLine(audited: number): string {
  return `Waiting for audits: ${counted(audited, "shard")}. What audits ask for is kept here, so start the agent again soon.`
}

function unstoppedLine(unstopped: number | null): string {
  if (unstopped === null) return "The engine does not say what runs: look at it with `docker ps`."
  return `${counted(unstopped, "container")} could not be stopped: look with \`docker ps\`, and try again.`
}
