import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { counted } from "../cli/counted.ts"
import { isolationFlags } from "../cli/isolation-flags.ts"
import { sysfsFlag } from "../cli/sysfs-flag.ts"
import { formatCredits } from "../protocol/credits.ts"
import { parseRate } from "../protocol/price.ts"
import type { GpuChoice } from "../runtime/agent/gpu-berths.ts"
import { takeSupervision } from "../runtime/agent/notification.ts"
import { type ServeOptions, serve } from "../runtime/agent/serve.ts"
import type { Totals } from "../runtime/shard/journal.ts"

export default class Serve extends BaseCommand {
  static override summary = "Take leases, run each shard in a sandbox, prove the work and get paid."
  static override description =
    "It runs until it is stopped or drained. Stopping suspends the shards and keeps what was begun: the next start goes on from there. That is exit code 0; a second signal ends it at once and leaves the containers to the next start."
  static override examples = [
    "<%= config.bin %> serve",
    "<%= config.bin %> serve --gpus 0,2",
    "<%= config.bin %> serve --gpus none --cpu-slots 2 --cpus 4 --memory-mib 8192",
  ]
  static override flags = {
    gpus: Flags.string({
      description: "cards that may work: all, none, or numbers, UUIDs or PCI addresses with commas between",
      default: "all",
      env: "ZG_GPUS",
      helpValue: "all|none|GPU,…",
    }),
    "cpu-slots": Flags.integer({
      description: "how many shards may run on the CPU at once; none when not given",
      default: 0,
      min: 0,
      max: 64,
      env: "ZG_CPU_SLOTS",
    }),
    cpus: Flags.integer({
      description: "CPU cores for all slots together; all when not given",
      min: 1,
      env: "ZG_CPUS",
    }),
    "memory-mib": Flags.integer({
      description: "memory for all slots together, in MiB; half of the machine's when not given",
      min: 64,
      env: "ZG_MEMORY_MIB",
    }),
    ask: Flags.string({
      description:
        "credits that each slot asks for a second of work, before the fee; any price when not given",
      env: "ZG_ASK",
      helpValue: "CREDITS",
    }),
    ...isolationFlags,
    metrics: Flags.boolean({
      description: "tell Prometheus about cards and shards, at http://127.0.0.1:9464/metrics",
      env: "ZG_METRICS",
    }),
    "metrics-host": Flags.string({
      description: "another address of this machine for the metrics; whoever reaches it may read them",
      dependsOn: ["metrics"],
      env: "ZG_METRICS_HOST",
    }),
    "metrics-port": Flags.integer({
      description: "another port for the metrics; 0 takes any free one",
      dependsOn: ["metrics"],
      min: 0,
      max: 65_535,
      env: "ZG_METRICS_PORT",
    }),
    "metrics-dcgm": Flags.boolean({
      description: "tell NVIDIA cards in dcgm-exporter's names too",
      dependsOn: ["metrics"],
      env: "ZG_METRICS_DCGM",
    }),
    sysfs: sysfsFlag,
  }

  async run() {
    const { flags } = await this.parse(Serve)
    const { cpus, sysfs, "cpu-slots": cpuSlots, "memory-mib": memoryMiB } = flags
    const ask = flags.ask === undefined ? undefined : parseRate(flags.ask)
    const options = {
      home: this.openHome(flags),
      isolation: { engine: flags.engine, runtime: flags.runtime },
      offering: { gpus: choiceOf(flags.gpus), cpuSlots, cpus, memoryMiB, ask },
      sysfs,
      metrics: flags.metrics ? metricsOf(flags) : null,
      supervision: takeSupervision(process.env, process.pid),
      program: this.config,
      log: this.openLog(flags),
    }
    const totals = await this.#untilStopped(options)
    if (totals === undefined) return
    this.log(
      `Earned ${formatCredits(totals.earned)} credits with ${counted(totals.settled, "shard")} in all.`,
    )
    return totals
  }

  /** A stop that was asked for is a clean end for a supervisor, also while the agent was still starting: then there are no totals. */
  async #untilStopped(options: ServeOptions): Promise<Totals | undefined> {
    try {
      return await serve(options, this.signal)
    } catch (error) {
      if (!this.signal.aborted || error !== this.signal.reason) throw error
      return undefined
    } finally {
      if (this.signal.aborted) process.exitCode = 0
    }
  }
}

function choiceOf(text: string): GpuChoice {
  return text === "all" || text === "none" ? text : text.split(",").map(name => name.trim())
}

interface MetricsFlags {
  "metrics-host": string | undefined
  "metrics-port": number | undefined
  "metrics-dcgm": boolean | undefined
}

function metricsOf(flags: MetricsFlags) {
  const { "metrics-host": host, "metrics-port": port, "metrics-dcgm": dcgm = false } = flags
  return { dcgm, ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) }
}
