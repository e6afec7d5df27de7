import { ThrottleReason } from "../../../protocol/throttle.ts"
import type { CardReport } from "../../host/telemetry/telemetry.ts"
import type { Family, MetricsReport } from "./report.ts"

const MIB = 1 << 20
const CARD_LABELS = ["hw_id", "hw_type", "hw_name", "hw_vendor", "hw_model", "hw_driver_version"]
const MICRO_CREDITS = 1_000_000

/** OpenTelemetry's states of hardware (`hw.state`) and what detection calls them. */
const STATES = { ok: "ok", degraded: "degraded", failed: "lost" } as const

/**
 * The cards in the names of OpenTelemetry's semantic conventions for hardware (`hw.gpu.*` and the common `hw.*`, status
 * Development), turned into Prometheus's as OpenTelemetry's compatibility rules say: dots become underscores, the unit follows
 * (`1` of a gauge as `ratio`), counters end in `_total`. What has no name there carries our own.
 */
export function cardFamilies(cards: readonly CardReport[]): Family[] {
  const gauge = (name: string, help: string, read: (card: CardReport) => number | null): Family =>
    family("gauge", name, help, cards, read)
  const ratio = (percent: number | null | undefined) => (percent == null ? null : percent / 100)
  const bytes = (mib: number | null | undefined) => (mib == null ? null : mib * MIB)
  return [
    gauge("hw_gpu_utilization_ratio", "Share of time in which the GPU computed.", card =>
      ratio(card.sample?.utilizationPct),
    ),
    gauge("hw_gpu_memory_usage_bytes", "GPU memory in use, by whomever.", card =>
      bytes(card.sample?.vramUsedMiB),
    ),
    gauge("hw_gpu_memory_limit_bytes", "Size of the GPU memory.", card => bytes(card.gpu.vramTotalMiB)),
    gauge("hw_temperature_celsius", "Temperature of the GPU.", card => card.sample?.temperatureC ?? null),
    gauge("hw_power_watts", "Power that the GPU draws.", card => card.sample?.powerDrawW ?? null),
    gauge("hw_fan_speed_ratio", "Speed of the GPU's fan as a share of its most.", card =>
      ratio(card.sample?.fanPct),
    ),
    family(
      "counter",
      "hw_energy_joules_total",
      "Energy that the GPU used since the agent's start, gaps in its samples left out.",
      cards,
      card => card.energyJoules,
    ),
    statusOf(cards),
    gauge("zg_gpu_power_limit_watts", "Power limit in force.", card => card.sample?.powerLimitW ?? null),
    clocksOf(cards),
    throttlesOf(cards),
    {
      name: "zg_telemetry_gaps_total",
      help: "Periods since the agent's start in which a card gave no sample.",
      type: "counter",
      labels: ["hw_id"],
      values: cards.map(({ identity, gaps }) => ({ labels: { hw_id: identity }, value: gaps })),
    },
  ]
}

/** The agent itself. */
export function agentFamilies({ version, agent }: MetricsReport): Family[] {
  const busy = agent.slots.filter(({ shard }) => shard !== null).length
  return [
    {
      name: "zg_agent_info",
      help: "This agent.",
      type: "gauge",
      labels: ["version"],
      values: [{ labels: { version }, value: 1 }],
    },
    {
      name: "zg_agent_connected",
      help: "Whether the marketplace is connected.",
      type: "gauge",
      labels: [],
      values: [{ labels: {}, value: agent.connected ? 1 : 0 }],
    },
    {
      name: "zg_slots",
      help: "Slots by what they do.",
      type: "gauge",
      labels: ["state"],
      values: [
        { labels: { state: "free" }, value: agent.slots.length - busy },
        { labels: { state: "busy" }, value: busy },
      ],
    },
    {
      name: "zg_shards_ended_total",
      help: "Shards that have come to their end, as this home's journal has them.",
      type: "counter",
      labels: ["end"],
      values: [
        { labels: { end: "settled" }, value: agent.settled },
        { labels: { end: "abandoned" }, value: agent.abandoned },
      ],
    },
    {
      name: "zg_credits_earned_total",
      help: "Credits earned, as this home's journal has them.",
      type: "counter",
      labels: [],
      values: [{ labels: {}, value: agent.earned / MICRO_CREDITS }],
    },
  ]
}

function family(
  type: Family["type"],
  name: string,
  help: string,
  cards: readonly CardReport[],
  read: (card: CardReport) => number | null,
): Family {
  const values = cards.map(card => ({ labels: labelsOf(card), value: read(card) }))
  return { name, help, type, labels: CARD_LABELS, values }
}

/** The cards' health as detection found it: 1 for the state that is true, 0 for the others. */
function statusOf(cards: readonly CardReport[]): Family {
  const values = cards.flatMap(card =>
    Object.entries(STATES).map(([state, health]) => ({
      labels: { ...labelsOf(card), hw_state: state },
      value: card.gpu.health === health ? 1 : 0,
    })),
  )
  return {
    name: "hw_status",
    help: "State of the GPU when the agent started: 1 for the state that is true.",
    type: "gauge",
    labels: [...CARD_LABELS, "hw_state"],
    values,
  }
}

function clocksOf(cards: readonly CardReport[]): Family {
  const hertz = (mhz: number | null | undefined) => (mhz == null ? null : mhz * 1e6)
  const values = cards.flatMap(card => [
    { labels: { hw_id: card.identity, clock: "core" }, value: hertz(card.sample?.coreMhz) },
    { labels: { hw_id: card.identity, clock: "memory" }, value: hertz(card.sample?.memoryMhz) },
  ])
  return {
    name: "zg_gpu_clock_hertz",
    help: "Clocks of the GPU.",
    type: "gauge",
    labels: ["hw_id", "clock"],
    values,
  }
}

/** As NVIDIA's and AMD's cards tell it; one that says nothing of it has no values. */
function throttlesOf(cards: readonly CardReport[]): Family {
  const values = cards.flatMap(({ identity, sample }) =>
    ThrottleReason.options.map(reason => {
      const told = sample?.throttle ?? null
      return { labels: { hw_id: identity, reason }, value: told && (told.includes(reason) ? 1 : 0) }
    }),
  )
  return {
    name: "zg_gpu_throttled",
    help: "1 for each reason for which the GPU says that it is throttled.",
    type: "gauge",
    labels: ["hw_id", "reason"],
    values,
  }
}

const VENDORS = { nvidia: "NVIDIA", amd: "AMD", intel: "Intel" } as const

/** An attribute that is not known is an empty label, which Prometheus takes for none. */
function labelsOf({ identity, gpu }: CardReport): Record<string, string> {
  return {
    hw_id: identity,
    hw_type: "gpu",
    hw_name: `gpu${gpu.index}`,
    hw_vendor: VENDORS[gpu.vendor],
    hw_model: gpu.name ?? "",
    hw_driver_version: gpu.driverVersion ?? "",
  }
}
