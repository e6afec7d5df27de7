import { setTimeout as sleep } from "node:timers/promises"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { changeLine, gpuReport } from "../cli/gpu-report.ts"
import { sysfsFlag } from "../cli/sysfs-flag.ts"
import { detectGpus } from "../runtime/host/detect-gpus.ts"
import { noteInventory } from "../runtime/host/inventory.ts"

const WATCH_PAUSE_MS = 2000
const CLEAR_SCREEN = "\u001b[2J\u001b[H"

export default class Gpus extends BaseCommand {
  static override summary = "List the GPUs of this machine as they really are."
  static override description =
    "NVIDIA cards are read through nvidia-smi, AMD and Intel cards from sysfs, AMD's tools fill in what they know. What a card does not report stays empty. With --watch and --json, each look is one line of JSON."
  static override examples = [
    "<%= config.bin %> gpus",
    "<%= config.bin %> gpus --watch",
    "<%= config.bin %> gpus --json",
  ]
  static override flags = {
    watch: Flags.boolean({ char: "w", description: "look again every two seconds, until it is stopped" }),
    sysfs: sysfsFlag,
  }

  async run() {
    const { flags } = await this.parse(Gpus)
    const look = () => detectGpus({ sysfs: flags.sysfs, signal: this.signal })
    if (!flags.watch) {
      const detection = await look()
      const changes = await noteInventory(this.openHome(flags).inventory, detection.gpus)
      this.log([gpuReport(detection), ...changes.map(changeLine)].join("\n"))
      return { ...detection, changes }
    }
    while (!this.signal.aborted) {
      const detection = await look()
      const clear = process.stdout.isTTY ? CLEAR_SCREEN : ""
      process.stdout.write(
        this.jsonEnabled() ? `${JSON.stringify(detection)}\n` : `${clear}${gpuReport(detection)}\n`,
      )
      await sleep(WATCH_PAUSE_MS, undefined, { signal: this.signal }).catch(() => {})
    }
    return undefined
  }
}
