import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { TABLE_FIELDS } from "../../src/runtime/host/nvidia/listing.ts"
import { installNvidiaSmi, type Play } from "../stand-in/nvidia-smi.ts"

const HERE = import.meta.dirname
const RECORDED = join(HERE, "../recorded/nvidia/rtx-4090-535.xml")
const CARD = "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9"
const TABLE = `--query-gpu=${TABLE_FIELDS} --format=csv,noheader`
const ROW = `${CARD}, 61, 97, 20480, 300.5, 450, 40, 2520, 10501, 0x0000000000000000, 00000000:01:00.0\n`
/** What the driver's tool says of a card that has fallen off the bus, and its exit code. */
const LOST: Play = {
  stdout:
    "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU\n",
  exitCode: 15,
}

/** Where a stand-in for NVIDIA's hook lies, which the engine calls and which gives nothing. */
export const HOOK_FOLDER = join(HERE, "../stand-in/nvidia-hook")

/** A card that exists for the driver's tools alone: stand-ins for them replay what a real machine's printed. */
export class Cards {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async install(folder: string): Promise<Cards> {
    mkdirSync(folder, { recursive: true })
    const toolkit = join(folder, "nvidia-ctk")
    cpSync(join(HERE, "../stand-in/nvidia-ctk"), toolkit)
    chmodSync(toolkit, 0o755)
    const cards = new Cards(folder)
    await cards.find()
    return cards
  }

  /** The card is there. */
  async find(): Promise<void> {
    await this.#play({
      "-q -x": { stdout: readFileSync(RECORDED, "utf8") },
      [TABLE]: { stdout: `0, ${CARD}, 00000000:01:00.0, NVIDIA GeForce RTX 4090, 8.9\n` },
      "--query-gpu": { stdout: ROW, rounds: 10_000 },
    })
  }

  /** The card has fallen off the bus. */
  async lose(): Promise<void> {
    await this.#play({ "*": LOST })
  }

  /** What runs now speaks of the card as it was: it ends, as the driver's tool does. */
  async #play(plays: Record<string, Play>): Promise<void> {
    await installNvidiaSmi(this.folder, plays)
    this.end()
  }

  /** Ends the stand-ins that still run. */
  end(): void {
    const pids = join(this.folder, "pids")
    if (!existsSync(pids)) return
    for (const pid of readFileSync(pids, "utf8").split("\n").filter(Boolean)) endStandIn(Number(pid))
    rmSync(pids, { force: true })
  }
}

/** A number may have been given to another process meanwhile. */
function endStandIn(pid: number): void {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("nvidia-smi")) process.kill(pid, "SIGKILL")
  } catch {
    // It has ended.
  }
}
