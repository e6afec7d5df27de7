import os from "node:os"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { benchReport, progressLine } from "../../cli/bench-report.ts"
import { htmlFlag } from "../../cli/html-flag.ts"
import { isolationFlags } from "../../cli/isolation-flags.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { sysfsFlag } from "../../cli/sysfs-flag.ts"
import { Part } from "../../protocol/capacity-report.ts"
import { type BenchOptions, bench } from "../../runtime/agent/bench.ts"
import { pagePath, writePage } from "../../runtime/agent/bench-page.ts"

/** More than this share of the processors at work already, and figures are not this machine's best. */
const BUSY_SHARE = 0.5

export default class Bench extends BaseCommand {
  static override summary = "Measure this machine and sign what it can do."
  static override description =
    "Cards are measured on the host through WebGPU, one at a time and then all together, whoever made them; nothing is downloaded. Then the processor, memory, disk, the way to the marketplace, and the trainer in the sandbox that shards get. Every result is checked before its time counts. The marketplace, if this home has one, gets the signed report and matches shards by its figures. The owner's limits on power and clocks stay as they are, `bench.maxTemperatureC` in rules.yaml stops a card that gets hotter, and Ctrl-C leaves the cards idle at once."
  static override examples = [
    "<%= config.bin %> bench",
    "<%= config.bin %> bench --quick",
    "<%= config.bin %> bench --full",
    "<%= config.bin %> bench --only gpus --json",
    "<%= config.bin %> bench --html report.html",
  ]
  static override flags = {
    quick: Flags.boolean({
      description: "about a minute, without the tests of soundness",
      exclusive: ["full"],
    }),
    full: Flags.boolean({
      description: "about ten minutes for each card: memory and computing tested at length",
    }),
    only: Flags.option({ options: Part.options, multiple: true, delimiter: "," })({
      description: "these parts alone, with commas between",
    }),
    cpus: Flags.integer({
      description: "CPU cores to measure with, as `serve` would give; all when not given",
      min: 1,
      env: "ZG_CPUS",
    }),
    "memory-mib": Flags.integer({
      description: "memory to measure with, in MiB; a share of what is free when not given",
      min: 64,
      env: "ZG_MEMORY_MIB",
    }),
    ...isolationFlags,
    sysfs: sysfsFlag,
    html: htmlFlag,
  }

  async run() {
    const { flags } = await this.parse(Bench)
    // Looked at before ten minutes of measuring, not after.
    const target = await pagePath(flags.html)
    const { cpus, sysfs, "memory-mib": memoryMiB } = flags
    const options: BenchOptions = {
      home: this.openHome(flags),
      depth: flags.quick ? "quick" : flags.full ? "full" : "standard",
      parts: new Set(flags.only ?? Part.options),
      given: { cpus, memoryMiB },
      isolation: { engine: flags.engine, runtime: flags.runtime },
      ...{ sysfs, agent: this.agentName, log: this.openLog({ ...flags, "log-level": "warn" }) },
    }
    this.#warnWhenBusy()
    const spinner = startSpinner("Measuring", this.jsonEnabled() || !process.stderr.isTTY)
    const onProgress = (progress: Parameters<typeof progressLine>[0]) => {
      spinner.text = progressLine(progress)
    }
    const made = await bench(options, { signal: this.signal, onProgress }).finally(() => spinner.stop())
    const page = await writePage(target, made)
    this.log(benchReport(made, page))
    return { ...made, page }
  }

  #warnWhenBusy(): void {
    const [load = 0] = os.loadavg()
    if (load > BUSY_SHARE * os.availableParallelism())
      this.logToStderr(
        `Other programs keep ${load.toFixed(1)} of ${os.availableParallelism()} processors busy: figures will be lower than this machine's best.`,
      )
  }
}
