import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { execa } from "execa"
import { freePort, untilHealthy } from "../../scripts/quickstart/programs.ts"
import { type Submitted, submit } from "./buyer.ts"
import { Cards, HOOK_FOLDER } from "./cards.ts"
import { Clock } from "./clock.ts"
import { Daemon } from "./daemon.ts"
import { Network } from "./network.ts"
import { type Equipment, environmentOf, type Name, Place } from "./place.ts"
import { SmallDisk } from "./small-disk.ts"
import { Supervised } from "./supervised.ts"
import { type LogEvent, Timeline } from "./timeline.ts"

const CLI = join(import.meta.dirname, "../../bin/run.js")
const TAG = "zg-faults/steps:latest"
const READY_LIMIT_MS = 90_000
const HOME_MIB = 192
/** Room for images beyond what a pull has to leave free; memory is taken only as it fills. */
const ENGINE_MIB = 3072

/** One marketplace, one agent and one engine of their own, with a network and disks whose faults the harness chooses. */
export class Lane {
  readonly place: Place
  readonly timeline = new Timeline()
  readonly daemon: Daemon
  readonly clocks: { agent: Clock; market: Clock }
  readonly agent: Supervised
  readonly market: Supervised
  network!: Network
  cards!: Cards
  disks!: { agent: SmallDisk; market: SmallDisk }
  /** The agent's key. */
  agentId = ""
  readonly #port: number
  #equipment: Equipment = { clocks: false, card: false }
  #image = TAG

  private constructor(place: Place, port: number) {
    this.place = place
    this.#port = port
    const { timeline } = this
    this.clocks = {
      agent: new Clock(join(place.root, "agent.clock")),
      market: new Clock(join(place.root, "market.clock")),
    }
    const env = { ZG_TEST_HOOK_LOG: place.log("hook") }
    const log = place.log("engine")
    this.daemon = new Daemon({
      root: join(place.root, "engine"),
      log,
      timeline,
      programs: [HOOK_FOLDER],
      env,
    })
    const kept = (name: "agent" | "market", args: () => string[]) => {
      const command = () => ({ program: process.execPath, args: [CLI, ...args()], env: this.#env(name) })
      return new Supervised({ name, log: place.log(name), command, timeline })
    }
    this.market = kept("market", () => ["market", "start", `--port=${port}`, "--grant=100000"])
    this.agent = kept("agent", () => [
      ...["serve", "--engine=docker", "--cpus=1", "--memory-mib=256"],
      ...(this.#equipment.card ? ["--gpus=all"] : ["--gpus=none", "--cpu-slots=1"]),
    ])
  }

  /** @param layer the image's one layer, a tar with a shell. @param number tells lanes apart that are opened at once. */
  static async open(layer: Uint8Array, number: number): Promise<Lane> {
    const port = await freePort(20_000 + 100 * number + Math.floor(Math.random() * 100))
    const lane = new Lane(new Place(mkdtempSync(join(tmpdir(), "zg-faults-"))), port)
    try {
      await lane.#build(layer)
    } catch (error) {
      await lane.close()
      throw error
    }
    return lane
  }

  /** Restarts what needs other equipment. */
  async equip(wanted: Equipment): Promise<void> {
    const { clocks, card } = this.#equipment
    if (wanted.clocks === clocks && wanted.card === card) return
    this.#equipment = wanted
    await this.agent.stop()
    await this.market.stop()
    await this.#startMarket()
    await this.startAgent()
  }

  /** Resolves when it serves and is connected. */
  async startAgent(): Promise<void> {
    const since = Date.now()
    const signal = AbortSignal.timeout(READY_LIMIT_MS)
    this.agent.start()
    await this.timeline.until(({ event }) => event === "market.connected", { since, signal })
  }

  /** Hands in a job of one shard. */
  submit(): Promise<Submitted> {
    const run = (args: string[]) => this.#run("buyer", args)
    const device = this.#equipment.card ? "cuda" : "cpu"
    return submit(this.#image, { place: this.place, timeline: this.timeline, run, device })
  }

  async close(): Promise<void> {
    await this.agent.stop()
    await this.market.stop()
    this.cards?.end()
    await this.daemon.stop()
    await this.network?.close()
    await this.#unmountAll()
    await rm(this.place.root, { recursive: true, force: true, maxRetries: 5 })
  }

  async #build(layer: Uint8Array): Promise<void> {
    const { place, daemon } = this
    await SmallDisk.mount(join(place.root, "engine"), ENGINE_MIB)
    this.disks = {
      agent: await SmallDisk.mount(place.home("agent"), HOME_MIB),
      market: await SmallDisk.mount(place.home("market"), HOME_MIB),
    }
    this.cards = await Cards.install(place.cards)
    daemon.start()
    this.network = await Network.open(this.#port)
    await this.#startMarket()
    await daemon.ready(AbortSignal.timeout(READY_LIMIT_MS))
    await daemon.docker(["import", "-", TAG], layer)
    await this.#run("buyer", ["register", `--market=ws://127.0.0.1:${this.#port}`])
    const { agent } = await this.#run("agent", ["register", `--market=ws://127.0.0.1:${this.network.port}`])
    this.agentId = String(agent)
    await this.startAgent()
    await this.#publish()
  }

  async #startMarket(): Promise<void> {
    this.market.start()
    await untilHealthy(`ws://127.0.0.1:${this.#port}`, AbortSignal.timeout(READY_LIMIT_MS))
  }

  /** The first job takes the image to the marketplace; all others name it by digest and need no engine. */
  async #publish(): Promise<void> {
    const { job } = await this.submit()
    const signal = AbortSignal.timeout(READY_LIMIT_MS)
    const isSettled = ({ by, event, fields }: LogEvent) =>
      by === "agent" && event === "shard.settled" && fields.job === job
    await this.timeline.until(isSettled, { signal })
    const path = join(this.place.home("market"), "market/market.sqlite")
    using sql = new DatabaseSync(path, { readOnly: true })
    const { spec } = sql.prepare("SELECT spec FROM job WHERE id = ?").get(job) as { spec: string }
    const { image } = JSON.parse(spec) as { image: { name: string; digest: string } }
    this.#image = `${image.name}@${image.digest}`
  }

  async #run(name: Name, args: string[]): Promise<Record<string, unknown>> {
    const options = { env: this.#env(name), extendEnv: false, stdin: "ignore" } as const
    return JSON.parse((await execa(process.execPath, [CLI, ...args, "--json"], options)).stdout)
  }

  #env(name: Name): Record<string, string> {
    const { place, clocks, daemon } = this
    return environmentOf(name, { place, clocks, engine: daemon.host, equipment: this.#equipment })
  }

  async #unmountAll(): Promise<void> {
    const { stdout } = await execa("findmnt", ["--noheadings", "--raw", "--output=TARGET"])
    const mine = stdout.split("\n").filter(path => path.startsWith(`${this.place.root}/`))
    for (const path of mine.sort().reverse()) await execa("umount", ["--lazy", path], { reject: false })
  }
}
