import { formatCredits } from "../protocol/credits.ts"
import type { BreakerReport } from "../runtime/agent/breakers.ts"
import type { AgentReport } from "../runtime/agent/report.ts"
import type { AgentStatus, CardStatus, ShardReport, SlotReport } from "../runtime/agent/status.ts"
import { counted } from "./counted.ts"
import { share, unit } from "./gpu-report.ts"
import { columns } from "./table.ts"

/** What an agent does and has earned, for people. */
export function agentReport({ name, agent, market, serving, ...rest }: AgentReport): string {
  const { settled, abandoned, earned, pausedSince, lately } = rest
  return [
    `${name} (${agent.slice(0, 16)}) at ${market}`,
    `  earned  ${formatCredits(earned)} credits with ${counted(settled, "shard")}; ${abandoned} abandoned`,
    `  serving ${servingLine(serving)}`,
    ...modeLines(serving, pausedSince),
    ...(serving?.breakers ?? []).map(breaker => `  left out ${breakerLine(breaker)}`),
    ...(serving === null ? [] : servingTables(serving)),
    ...lately.map(
      ({ at, job, label, message }) => `given up ${at.slice(0, 19)}Z ${label} of ${job}: ${message}`,
    ),
  ].join("\n")
}

function servingLine(serving: AgentStatus | null): string {
  if (serving === null) return "no: start it with `zg-agent serve`"
  const where = `yes, as process ${serving.pid}`
  return serving.connected ? where : `${where}, but not connected`
}

function modeLines(serving: AgentStatus | null, pausedSince: string | null): string[] {
  if (pausedSince !== null) {
    const next = serving === null ? "the next start begins so; then " : ""
    return [`  paused  since ${minute(pausedSince)}; ${next}\`zg-agent resume\` goes on`]
  }
  if (serving?.mode.mode !== "draining") return []
  return [`  draining since ${minute(serving.mode.since)}; it ends after its last shard`]
}

function breakerLine({ guards, id, state, leftMs }: BreakerReport): string {
  const what = guards === "slot" ? `slot ${id}` : `image ${id.slice(0, 19)}`
  if (state === "half-open") return `${what}: too much failed on it; a shard tries it now`
  if (leftMs === 0) return `${what}: too much failed on it; the next shard tries it`
  return `${what}: too much failed on it; the next try is in ${Math.ceil(leftMs / 60_000)} min`
}

/** `2026-11-23 14:05Z`. */
export function minute(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")}Z`
}

function servingTables({ slots, proved, cards }: AgentStatus): string[] {
  const work = columns(["slot", "device", "work", "step"], slots.map(slotRow))
  const waiting = columns(["proved", "waits for"], proved.map(provedRow))
  const head = ["GPU", "place", "VRAM", "temp", "load", "power", "fan", "throttled by", "energy"]
  return [
    ...["", work],
    ...(proved.length === 0 ? [] : ["", waiting]),
    ...(cards.length === 0 ? [] : ["", columns(head, cards.map(cardRow))]),
  ]
}

function provedRow({ label, job, at }: ShardReport): string[] {
  return [`${label} of ${job}`, at === "committed" ? "its audits" : "its receipt"]
}

function slotRow({ id, device, gpus, shard }: SlotReport): string[] {
  const { step, steps } = shard?.progress ?? { step: 0, steps: 0 }
  return [
    id,
    gpus[0]?.model ?? device,
    shard ? `${shard.label} of ${shard.job}: ${shard.at}${shard.suspended ? ", suspended" : ""}` : "free",
    steps > 0 ? `${step}/${steps}` : "",
  ]
}

/** A card in a gap shows no numbers of before. */
function cardRow({ name, pciAddress, vramTotalMiB, sample, energyJoules }: CardStatus): string[] {
  return [
    name,
    pciAddress ?? "",
    share(sample?.vramUsedMiB ?? null, vramTotalMiB, "MiB"),
    unit(sample?.temperatureC ?? null, "°C"),
    unit(sample?.utilizationPct ?? null, "%"),
    share(sample?.powerDrawW ?? null, sample?.powerLimitW ?? null, "W"),
    unit(sample?.fanPct ?? null, "%"),
    sample?.throttle?.join(", ") ?? "",
    energyJoules === null ? "" : `${(energyJoules / 3_600_000).toFixed(3)} kWh`,
  ]
}
