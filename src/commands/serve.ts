import { availableParallelism } from "node:os"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { counted } from "../cli/counted.ts"
import { formatCredits } from "../protocol/credits.ts"
import { serve } from "../runtime/agent/serve.ts"
import { cpuSlots } from "../runtime/host/machine.ts"

export default class Serve extends BaseCommand {
  static override summary = "Take leases, run each shard in a sandbox, prove the work and get paid."
  static override description =
    "It runs until it is stopped. Stopping ends the containers and keeps what was begun: the next start goes on from there."
  static override examples = [
    "<%= config.bin %> serve --cpu-slots 1",
    "<%= config.bin %> serve --cpu-slots 2 --cpus 4 --memory-mib 8192",
  ]
  static override flags = {
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
  }

  async run() {
    const { flags } = await this.parse(Serve)
    const slots = cpuSlots(flags["cpu-slots"], flags.cpus ?? availableParallelism(), flags["memory-mib"])
    const options = { home: this.openHome(flags), slots, program: this.config, log: this.openLog(flags) }
    const totals = await serve(options, this.signal)
    this.log(
      `Earned ${formatCredits(totals.earned)} credits with ${counted(totals.settled, "shard")} in all.`,
    )
    return totals
  }
}
