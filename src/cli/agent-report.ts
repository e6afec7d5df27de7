import { formatCredits } from "../protocol/credits.ts"
import type { AgentStatus, CardStatus, SlotReport } from "../runtime/agent/agent.ts"
import type { AgentReport } from "../runtime/agent/report.ts"
import { counted } from "./counted.ts"
import { share, unit } from "./gpu-report.ts"
import { columns } from "./table.ts"

/** What an agent does and has earned, for people. */
export function agentReport({ name, agent, market, serving, lately, ...totals }: AgentReport): string {
  const { settled, abandoned, earned } = totals
  return [
    `${name} (${agent.slice(0, 16)}) at ${market}`,
    `  earned  ${formatCredits(earned)} credits with ${counted(settled, "shard")}; ${abandoned} abandoned`,
    `  serving ${servingLine(serving)}`,
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

function servingTables({ slots, cards }: AgentStatus): string[] {
  const work = columns(["slot", "device", "work", "step"], slots.map(slotRow))
  if (cards.length === 0) return ["", work]
  const head = ["GPU", "place", "VRAM", "temp", "load", "power", "fan", "energy"]
  return ["", work, "", columns(head, cards.map(cardRow))]
}

function slotRow({ id, device, gpus, shard }: SlotReport): string[] {
  const { step, steps } = shard?.progress ?? { step: 0, steps: 0 }
  return [
    id,
    gpus[0]?.model ?? device,
    shard ? `${shard.label} of ${shard.job}: ${shard.at}` : "free",
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
    energyJoules === null ? "" : `${(energyJoules / 3_600_000).toFixed(3)} kWh`,
  ]
}
